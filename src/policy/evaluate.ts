import type { Catalogue, Deployment, Model, Surface } from "../region/catalogue.ts";
import type { Policy, Rule } from "../region/policy.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { deploymentChecks, judgeDeployment, unwrittenChecks } from "./deployment-rules.ts";
import { unknownFact, type Objection } from "./objection.ts";
import { subjectOf, viewOf, type Subject } from "./subject.ts";
import { concerns, inForce, judgeTenant, missingCountry } from "./tenant-rules.ts";

export interface AuthoriseRequest {
  readonly tenant: Tenant;
  /** As the client wrote it: an id or an alias. */
  readonly modelName: string;
  readonly surface: Surface;
}

/** One deployment of the model with everything that speaks against it; admitted where nothing does. */
export interface Verdict {
  readonly deployment: Deployment;
  readonly admitted: boolean;
  /** What this deployment itself meets with, beside what `Evaluation.tenant` says to all of them. */
  readonly objections: readonly Objection[];
}

export interface Evaluation {
  readonly model: Model;
  readonly surface: Surface;
  /** What refuses the tenant this model wherever it runs. */
  readonly tenant: readonly Objection[];
  readonly candidates: readonly Verdict[];
  /** Every rule and unwritten check that looked. */
  readonly rules: readonly string[];
}

/** The unwritten check that a tenant bought the model's tier. */
export const entitlementRule = "tenant:tiers";

/** Every candidate with its verdict, for `authorise` and for whoever explains it; `undefined`: no such model. */
export function evaluate(request: AuthoriseRequest, policy: Policy, catalogue: Catalogue, atMs: number): Evaluation | undefined {
  const model = catalogue.models.get(catalogue.modelNames.get(request.modelName) ?? "");
  if (model === undefined) return undefined;
  return evaluateSubject(subjectOf(request.tenant, model), model, request.surface, policy, catalogue, atMs);
}

export function evaluateSubject(
  subject: Subject,
  model: Model,
  surface: Surface,
  policy: Policy,
  catalogue: Catalogue,
  atMs: number,
): Evaluation {
  const view = viewOf(subject, policy);
  const concerned: Rule[] = [];
  const looked: string[] = [entitlementRule];
  const tenant: Objection[] = [];
  if (!subject.entitled) tenant.push(notEntitled(model));
  if (view.unreadableDeny !== undefined)
    tenant.push(unknownFact("tenant:countries", `what ${view.unreadableDeny} in your company's deny list stands for`));
  for (const rule of policy.rules) {
    if (!inForce(rule, model, atMs)) continue;
    const concern = concerns(rule, view);
    if (concern === "no") continue;
    looked.push(rule.id);
    const objection = concern === "unknown" ? missingCountry(rule, view) : judgeTenant(rule, view);
    if (objection !== undefined) tenant.push(objection);
    if (concern === "yes") concerned.push(rule);
  }
  const checks = deploymentChecks(concerned, subject, view, model);
  const candidates = (catalogue.deploymentsByModel.get(model.id) ?? []).map((deployment): Verdict => {
    const objections = judgeDeployment(deployment, checks);
    if (!deployment.surfaces.has(surface)) objections.push(otherSurface(surface));
    return { deployment, admitted: tenant.length === 0 && objections.length === 0, objections };
  });
  return { model, surface, tenant, candidates, rules: [...looked, ...unwrittenChecks(checks)] };
}

function notEntitled(model: Model): Objection {
  const reason = `the tenant has not bought the tier "${model.tier}"`;
  return { kind: "tier", rule: entitlementRule, reason, sentence: "Your company has not bought models of this tier." };
}

function otherSurface(surface: Surface): Objection {
  return {
    kind: "surface",
    rule: "catalogue:surfaces",
    reason: `does not speak ${surface}`,
    sentence: `It does not speak ${surface}.`,
  };
}
