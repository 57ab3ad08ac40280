import { atLeast, type Deployment, type EvidenceGrade, type Model, type Surface } from "../region/catalogue.ts";
import { meets, showCountries, within, type Country } from "../region/country.ts";
import type { Rule } from "../region/policy.ts";
import { noMatch } from "./fact-outcome.ts";
import { checkOf, finding, unwritten, type Check, type Finding } from "./finding.ts";
import type { SubjectView } from "./subject-view.ts";

interface ForbiddenCountries {
  readonly check: Check;
  readonly countries: ReadonlySet<Country>;
}

/** What rules ask of every deployment of a model: the same for all subjects that they are about, but for where those lie. */
export interface RuleChecks {
  /** Without countries: those in which the subject lies. */
  readonly forbid: readonly (ForbiddenCountries | { readonly check: Check; readonly countries: undefined })[];
  readonly only: DeploymentChecks["only"];
  readonly least: DeploymentChecks["least"];
  /** All countries that `forbid` names. */
  readonly forbidden: ReadonlySet<Country>;
  readonly unwritten: readonly string[];
}

/** What is asked of every deployment for one subject and model. */
export interface DeploymentChecks {
  readonly forbid: readonly ForbiddenCountries[];
  readonly only: readonly { readonly check: Check; readonly countries: ReadonlySet<Country> }[];
  readonly least: readonly { readonly check: Check; readonly grade: EvidenceGrade }[];
  /** In one or another of these is everything that `forbid` names: a deployment that meets none of them needs no look at each. */
  readonly forbidden: readonly ReadonlySet<Country>[];
  /** The names of the checks that stand in no file. */
  readonly unwritten: readonly string[];
}

const unknownCountries = unwritten(
  "catalogue:countries",
  "weights_location",
  "Nobody declared where this request would be processed.",
);

const ownList = unwritten("tenant:countries", "tenant_countries", "Your company's own list of countries does not admit it.");

/** `rules` are those in force that concern the subjects. */
export function ruleChecks(rules: readonly Rule[], model: Model): RuleChecks {
  const forbid: RuleChecks["forbid"][number][] = [];
  const only: { check: Check; countries: ReadonlySet<Country> }[] = [];
  const least: { check: Check; grade: EvidenceGrade }[] = [];
  const hosting = `hosting:${model.id}`;
  const isHostingAsked = model.weightsNotIn.size > 0;
  if (isHostingAsked) {
    const sentence = `The weights of ${model.displayName} must not be where this request could be processed.`;
    forbid.push({ check: unwritten(hosting, "weights_location", sentence), countries: model.weightsNotIn });
  }
  for (const rule of rules) {
    if (rule.kind === "weights_location") forbid.push({ check: checkOf(rule), countries: rule.neverIn });
    if (rule.kind === "own_jurisdiction") forbid.push({ check: checkOf(rule), countries: undefined });
    if (rule.kind === "tenant_countries") {
      forbid.push({ check: checkOf(rule), countries: rule.deny });
      if (rule.allow !== undefined) only.push({ check: checkOf(rule), countries: rule.allow });
    }
    if (rule.kind === "evidence") least.push({ check: checkOf(rule), grade: rule.least });
  }
  const forbidden = new Set(forbid.flatMap(({ countries }) => [...(countries ?? [])]));
  return { forbid, only, least, forbidden, unwritten: isHostingAsked ? [hosting] : [] };
}

/** The checks of the rules that concern a subject, with what it asks for itself. */
export function deploymentChecks(rules: RuleChecks, leastEvidence: EvidenceGrade | null, view: SubjectView): DeploymentChecks {
  const { own, deny, allow } = view;
  const forbid = rules.forbid.map((each) => (each.countries === undefined ? { check: each.check, countries: own } : each));
  const forbidden = [rules.forbidden, own, deny];
  if (deny.size > 0) forbid.push({ check: ownList, countries: deny });
  const only = allow === undefined ? rules.only : [...rules.only, { check: ownList, countries: allow }];
  const unwrittenNames = [...rules.unwritten];
  if (deny.size > 0 || allow !== undefined) unwrittenNames.push(ownList.rule);
  if (leastEvidence === null) return { forbid, only, least: rules.least, forbidden, unwritten: unwrittenNames };
  const sentence = `Your company asks for evidence of place of at least the grade "${leastEvidence}".`;
  const check = unwritten("tenant:evidence", "evidence", sentence);
  return {
    forbid,
    only,
    least: [...rules.least, { check, grade: leastEvidence }],
    forbidden,
    unwritten: [...unwrittenNames, check.rule],
  };
}

/** What speaks against a deployment; nothing admits it. */
export function objectionsTo(deployment: Deployment, surface: Surface, checks: DeploymentChecks): Finding[] {
  const { countries, evidence } = deployment;
  const objections: Finding[] = [];
  if (countries.kind === "unknown")
    objections.push(finding(unknownCountries, { outcome: "unknown", what: "where this request would be processed" }, ""));
  else {
    if (checks.forbidden.some((forbidden) => meets(countries, forbidden) !== undefined)) {
      for (const { check, countries: forbidden } of checks.forbid) {
        const met = meets(countries, forbidden);
        if (met !== undefined)
          objections.push(matched(check, met === "anywhere" ? "may process anywhere" : `may process in ${met}`));
      }
    }
    for (const { check, countries: allowed } of checks.only) {
      if (!within(countries, allowed))
        objections.push(matched(check, `may process outside the allowed countries: ${showCountries(countries)}`));
    }
  }
  for (const { check, grade } of checks.least) {
    if (!atLeast(evidence, grade)) objections.push(matched(check, `evidence "${evidence}" is less than "${grade}"`));
  }
  if (!deployment.surfaces.has(surface)) {
    const other = unwritten("catalogue:surfaces", "surface", `It does not speak ${surface}.`);
    objections.push(matched(other, `does not speak ${surface}`));
  }
  return objections;
}

/** Every check with what it says of a deployment: its objections, and what has nothing against it. For `explain`. */
export function findingsOn(objections: readonly Finding[], checks: DeploymentChecks): readonly Finding[] {
  const all = [...checks.forbid, ...checks.only, ...checks.least].map(({ check }) => check);
  const silent = all.filter(({ rule }) => !objections.some((objection) => objection.rule === rule));
  return [...objections, ...silent.map((check) => finding(check, noMatch, ""))];
}

function matched(check: Check, reason: string): Finding {
  return finding(check, { outcome: "match", what: reason }, reason);
}
