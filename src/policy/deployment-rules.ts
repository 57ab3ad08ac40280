import { atLeast, type Deployment, type EvidenceGrade, type Model } from "../region/catalogue.ts";
import { meets, showCountries, within, type Country } from "../region/country.ts";
import type { Rule } from "../region/policy.ts";
import type { RuleKind } from "../refusal.ts";
import { unknownFact, type Objection } from "./objection.ts";
import type { Subject, SubjectView } from "./subject.ts";

interface Check {
  readonly kind: RuleKind;
  readonly rule: string;
  readonly sentence: string;
}

/** What is asked of every deployment for one subject and model, gathered once. */
export interface DeploymentChecks {
  readonly forbid: readonly (Check & { readonly countries: ReadonlySet<Country> })[];
  readonly only: readonly (Check & { readonly countries: ReadonlySet<Country> })[];
  readonly least: readonly (Check & { readonly grade: EvidenceGrade })[];
  /** Everything that `forbid` names: a deployment that meets none of it needs no look at each. */
  readonly forbidden: ReadonlySet<Country>;
}

/** `rules` are those in force that concern the subject. */
export function deploymentChecks(rules: readonly Rule[], subject: Subject, view: SubjectView, model: Model): DeploymentChecks {
  const forbid: (Check & { countries: ReadonlySet<Country> })[] = [];
  const only: (Check & { countries: ReadonlySet<Country> })[] = [];
  const least: (Check & { grade: EvidenceGrade })[] = [];
  if (model.weightsNotIn.size > 0) {
    const sentence = `The weights of ${model.displayName} must not be where this request could be processed.`;
    forbid.push({ kind: "weights_location", rule: `hosting:${model.id}`, sentence, countries: model.weightsNotIn });
  }
  for (const rule of rules) {
    const check = { kind: rule.kind, rule: rule.id, sentence: rule.because };
    if (rule.kind === "weights_location") forbid.push({ ...check, countries: rule.neverIn });
    if (rule.kind === "own_jurisdiction") forbid.push({ ...check, countries: view.own });
    if (rule.kind === "tenant_countries") {
      forbid.push({ ...check, countries: rule.deny });
      if (rule.allow !== undefined) only.push({ ...check, countries: rule.allow });
    }
    if (rule.kind === "evidence") least.push({ ...check, grade: rule.least });
  }
  const own = {
    kind: "tenant_countries",
    rule: "tenant:countries",
    sentence: "Your company's own list of countries does not admit it.",
  } as const;
  if (view.deny.size > 0) forbid.push({ ...own, countries: view.deny });
  if (view.allow !== undefined) only.push({ ...own, countries: view.allow });
  if (subject.leastEvidence !== undefined) {
    const sentence = `Your company asks for evidence of place of at least the grade "${subject.leastEvidence}".`;
    least.push({ kind: "evidence", rule: "tenant:evidence", sentence, grade: subject.leastEvidence });
  }
  const forbidden = new Set<Country>();
  for (const { countries } of forbid) for (const country of countries) forbidden.add(country);
  return { forbid, only, least, forbidden };
}

/** The checks that stand in no file but were made all the same. */
export function unwrittenChecks(checks: DeploymentChecks): string[] {
  const all = [...checks.forbid, ...checks.only, ...checks.least].map(({ rule }) => rule);
  return [...new Set(all.filter((rule) => rule.includes(":")))];
}

export function judgeDeployment(deployment: Deployment, checks: DeploymentChecks): Objection[] {
  const { countries, evidence } = deployment;
  const objections: Objection[] = [];
  if (countries.kind === "unknown") objections.push(unknownFact("catalogue:countries", "where this request would be processed"));
  else {
    if (meets(countries, checks.forbidden) !== undefined) {
      for (const check of checks.forbid) {
        const met = meets(countries, check.countries);
        if (met !== undefined)
          objections.push(objection(check, met === "anywhere" ? "may process anywhere" : `may process in ${met}`));
      }
    }
    for (const check of checks.only) {
      if (!within(countries, check.countries))
        objections.push(objection(check, `may process outside the allowed countries: ${showCountries(countries)}`));
    }
  }
  for (const check of checks.least) {
    if (!atLeast(evidence, check.grade))
      objections.push(objection(check, `evidence "${evidence}" is less than "${check.grade}"`));
  }
  return objections;
}

function objection({ kind, rule, sentence }: Check, reason: string): Objection {
  return { kind, rule, sentence, reason };
}
