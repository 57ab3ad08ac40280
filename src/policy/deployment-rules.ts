import { atLeast, type Deployment, type EvidenceGrade, type Model, type Surface } from "../region/catalogue.ts";
import { meets, showCountries, within, type Country } from "../region/country.ts";
import type { Rule } from "../region/policy.ts";
import { noMatch } from "./fact-outcome.ts";
import { checkOf, finding, unwritten, type Check, type Finding } from "./finding.ts";
import type { SubjectView } from "./subject-view.ts";

/** What is asked of every deployment for one subject and model, gathered once. */
export interface DeploymentChecks {
  readonly forbid: readonly { readonly check: Check; readonly countries: ReadonlySet<Country> }[];
  readonly only: readonly { readonly check: Check; readonly countries: ReadonlySet<Country> }[];
  readonly least: readonly { readonly check: Check; readonly grade: EvidenceGrade }[];
  /** Everything that `forbid` names: a deployment that meets none of it needs no look at each. */
  readonly forbidden: ReadonlySet<Country>;
}

const unknownCountries = unwritten(
  "catalogue:countries",
  "weights_location",
  "Nobody declared where this request would be processed.",
);

/** `rules` are those in force that concern the subject. */
export function deploymentChecks(
  rules: readonly Rule[],
  leastEvidence: EvidenceGrade | null,
  view: SubjectView,
  model: Model,
): DeploymentChecks {
  const forbid: { check: Check; countries: ReadonlySet<Country> }[] = [];
  const only: { check: Check; countries: ReadonlySet<Country> }[] = [];
  const least: { check: Check; grade: EvidenceGrade }[] = [];
  if (model.weightsNotIn.size > 0) {
    const sentence = `The weights of ${model.displayName} must not be where this request could be processed.`;
    forbid.push({ check: unwritten(`hosting:${model.id}`, "weights_location", sentence), countries: model.weightsNotIn });
  }
  for (const rule of rules) {
    if (rule.kind === "weights_location") forbid.push({ check: checkOf(rule), countries: rule.neverIn });
    if (rule.kind === "own_jurisdiction") forbid.push({ check: checkOf(rule), countries: view.own });
    if (rule.kind === "tenant_countries") {
      forbid.push({ check: checkOf(rule), countries: rule.deny });
      if (rule.allow !== undefined) only.push({ check: checkOf(rule), countries: rule.allow });
    }
    if (rule.kind === "evidence") least.push({ check: checkOf(rule), grade: rule.least });
  }
  const own = unwritten("tenant:countries", "tenant_countries", "Your company's own list of countries does not admit it.");
  if (view.deny.size > 0) forbid.push({ check: own, countries: view.deny });
  if (view.allow !== undefined) only.push({ check: own, countries: view.allow });
  if (leastEvidence !== null) {
    const sentence = `Your company asks for evidence of place of at least the grade "${leastEvidence}".`;
    least.push({ check: unwritten("tenant:evidence", "evidence", sentence), grade: leastEvidence });
  }
  const forbidden = new Set<Country>();
  for (const { countries } of forbid) for (const country of countries) forbidden.add(country);
  return { forbid, only, least, forbidden };
}

/** The checks that stand in no file but were made all the same. */
export function unwrittenChecks(checks: DeploymentChecks): string[] {
  const all = [...checks.forbid, ...checks.only, ...checks.least].map(({ check }) => check.rule);
  return [...new Set(all.filter((rule) => rule.includes(":")))];
}

/** What speaks against a deployment; nothing admits it. */
export function objectionsTo(deployment: Deployment, surface: Surface, checks: DeploymentChecks): Finding[] {
  const { countries, evidence } = deployment;
  const objections: Finding[] = [];
  if (countries.kind === "unknown")
    objections.push(finding(unknownCountries, { outcome: "unknown", what: "where this request would be processed" }, ""));
  else {
    if (meets(countries, checks.forbidden) !== undefined) {
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
