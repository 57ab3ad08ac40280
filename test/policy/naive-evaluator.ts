/**
 * What a policy says, worked out as it reads: rule after rule and deployment after deployment, with nothing compiled, shared
 * or remembered. For tests to hold the compiled evaluation against.
 */
import type { DecisionInputs } from "../../src/policy/decision-inputs.ts";
import type { Finding } from "../../src/policy/finding.ts";
import { Horizon } from "../../src/policy/horizon.ts";
import { ListedParties } from "../../src/policy/listed-parties.ts";
import { viewOf, type SubjectView } from "../../src/policy/subject-view.ts";
import { judgeTenant } from "../../src/policy/tenant-rules.ts";
import { evidenceGrades, type Catalogue, type Deployment, type EvidenceGrade, type Model } from "../../src/region/catalogue.ts";
import type { Country } from "../../src/region/country.ts";
import type { Policy, Rule } from "../../src/region/policy.ts";

export interface NaiveEvaluation {
  /** Of every rule in force that looks at the model and is about the subject. */
  readonly findings: readonly Finding[];
  readonly candidates: readonly { readonly deployment: string; readonly objections: readonly NaiveObjection[] }[];
}

export interface NaiveObjection {
  readonly rule: string;
  readonly reason: string;
}

export function evaluateNaively(inputs: DecisionInputs, model: Model, policy: Policy, catalogue: Catalogue): NaiveEvaluation {
  const view = viewOf(inputs.tenant, policy);
  const findings: Finding[] = [];
  const concerned: Rule[] = [];
  for (const rule of policy.rules) {
    if (!isInForce(rule, inputs.atMs) || !looksAt(rule, model)) continue;
    const situation = { inputs, view, policy, listed: new ListedParties(policy), horizon: new Horizon(inputs.atMs) };
    const finding = judgeTenant(rule, situation);
    if (finding === undefined) continue;
    findings.push(finding);
    concerned.push(rule);
  }
  const candidates = (catalogue.deploymentsByModel.get(model.id) ?? []).map((deployment) => ({
    deployment: deployment.id,
    objections: objectionsTo(deployment, inputs, model, concerned, view),
  }));
  return { findings, candidates };
}

function isInForce({ effectiveFromMs = -Infinity, effectiveToMs = Infinity, suspensions }: Rule, atMs: number): boolean {
  const isSuspended = suspensions.some(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
  return effectiveFromMs <= atMs && atMs < effectiveToMs && !isSuspended;
}

function looksAt({ makers, tiers, models }: Rule, { maker, tier, id }: Model): boolean {
  return (makers?.has(maker) ?? true) && (tiers?.has(tier) ?? true) && (models?.has(id) ?? true);
}

function objectionsTo(
  deployment: Deployment,
  { surface, tenant: { leastEvidence } }: DecisionInputs,
  model: Model,
  rules: readonly Rule[],
  view: SubjectView,
): NaiveObjection[] {
  const objections: NaiveObjection[] = [];
  const forbid = (rule: string, countries: ReadonlySet<Country>): void => {
    const met = meets(deployment, countries);
    if (met !== undefined) objections.push({ rule, reason: `may process ${met === "anywhere" ? met : `in ${met}`}` });
  };
  const allowOnly = (rule: string, allowed: ReadonlySet<Country>): void => {
    const { countries } = deployment;
    const isWithin = countries.kind === "countries" && [...countries.countries].every((country) => allowed.has(country));
    const shown = countries.kind === "countries" ? [...countries.countries].sort().join(",") : "*";
    if (!isWithin) objections.push({ rule, reason: `may process outside the allowed countries: ${shown}` });
  };
  const ask = (rule: string, least: EvidenceGrade): void => {
    const { evidence } = deployment;
    if (evidenceGrades.indexOf(evidence) > evidenceGrades.indexOf(least))
      objections.push({ rule, reason: `evidence "${evidence}" is less than "${least}"` });
  };
  if (deployment.countries.kind === "unknown")
    objections.push({ rule: "catalogue:countries", reason: "where this request would be processed is not known" });
  else {
    forbid(`hosting:${model.id}`, model.weightsNotIn);
    for (const rule of rules) {
      if (rule.kind === "weights_location") forbid(rule.id, rule.neverIn);
      if (rule.kind === "own_jurisdiction") forbid(rule.id, view.own);
      if (rule.kind === "tenant_countries") forbid(rule.id, rule.deny);
    }
    forbid("tenant:countries", view.deny);
    for (const rule of rules) if (rule.kind === "tenant_countries" && rule.allow !== undefined) allowOnly(rule.id, rule.allow);
    if (view.allow !== undefined) allowOnly("tenant:countries", view.allow);
  }
  for (const rule of rules) if (rule.kind === "evidence") ask(rule.id, rule.least);
  if (leastEvidence !== null) ask("tenant:evidence", leastEvidence);
  if (!deployment.surfaces.has(surface)) objections.push({ rule: "catalogue:surfaces", reason: `does not speak ${surface}` });
  return objections;
}

function meets({ countries }: Deployment, others: ReadonlySet<Country>): string | undefined {
  if (others.size === 0) return undefined;
  return countries.kind === "countries" ? [...countries.countries].find((country) => others.has(country)) : countries.kind;
}
