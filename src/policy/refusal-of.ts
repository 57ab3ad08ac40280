import type { Refusal, RuleKind } from "../refusal.ts";
import type { ClassVerdict } from "./candidates.ts";
import { entitlementRule, type Evaluation } from "./evaluate.ts";
import { objectionKind, type Finding, type ObjectionKind } from "./finding.ts";

/** Which kind of rule a refusal names where several hold: what the tenant is comes before where the work would go. */
const order: readonly ObjectionKind[] = [
  "withdrawal",
  "ownership",
  "tier",
  "end_use",
  "nationality",
  "hosted_tools",
  "log_probabilities",
  "weights_location",
  "own_jurisdiction",
  "tenant_countries",
  "evidence",
  "fact_conflicting",
  "fact_stale",
  "fact_unknown",
];

/** Why nothing was admitted, as one refusal; `undefined` where something was. Same evaluation, same refusal. */
export function refusalOf(evaluation: Evaluation, modelName: string): Refusal | undefined {
  const { subject, placement, surface } = evaluation;
  const { classes } = placement;
  const { objections } = subject;
  // A model that the tenant did not buy, or that nobody hosts, must look like one that is not there.
  if (classes.length === 0 || objections.some(({ rule }) => rule === entitlementRule))
    return { kind: "model_not_found", model: modelName };
  if (objections.length > 0) return fromObjections(objections, modelName);
  // Another model answers: it has places of its own.
  if (evaluation.replacement !== undefined) return undefined;
  if (placement.admitted.length > 0) return undefined;
  const speaking = classes.filter(({ speaksSurface }) => speaksSurface);
  const permittedButSilent = classes.some(({ objections }) => objections.every(({ kind }) => kind === "surface"));
  if (speaking.length === 0 || permittedButSilent) return { kind: "surface_not_served", model: modelName, surface };
  const all = speaking.flatMap((each) => each.objections);
  const most = mostFrequent(speaking);
  return fromObjections(most === undefined ? all : all.filter((objection) => objectionKind(objection) === most), modelName);
}

/** The kind that refused the most candidates, each counted once; of equals the earlier in `order`. */
function mostFrequent(classes: readonly ClassVerdict[]): ObjectionKind | undefined {
  let most: { readonly kind: ObjectionKind; readonly count: number } | undefined;
  for (const kind of order.filter((each) => !each.startsWith("fact_"))) {
    const refused = classes.filter(({ objections }) => objections.some((one) => objectionKind(one) === kind));
    const count = refused.reduce((sum, { deployments }) => sum + deployments, 0);
    if (count > (most?.count ?? 0)) most = { kind, count };
  }
  return most?.kind;
}

/** A denial where there is one, for it is certain; else the fact that is missing; else the review that is open. */
function fromObjections(objections: readonly Finding[], model: string): Refusal {
  const denials = objections.filter(({ decision }) => decision === "deny");
  const deciding = denials.length > 0 ? denials : objections;
  const kinds = new Set(deciding.map(objectionKind));
  const kind = order.find((each) => kinds.has(each));
  const first = deciding.find((one) => objectionKind(one) === kind);
  if (first === undefined || kind === undefined || kind === "surface")
    return { kind: "fact_unknown", model, fact: "something that a rule asks for" };
  if (kind === "fact_unknown" || kind === "fact_stale" || kind === "fact_conflicting")
    return { kind, model, fact: first.fact ?? "something that a rule asks for" };
  const same = deciding.filter((one) => objectionKind(one) === kind);
  const reasons = [...new Set(same.flatMap(({ rule, codes }) => [rule, ...codes]))];
  return {
    kind: denials.length > 0 ? "policy_denied" : "policy_review",
    model,
    rule: kind satisfies RuleKind,
    reasons,
    sentence: first.sentence,
  };
}
