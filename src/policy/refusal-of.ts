import type { Refusal, RuleKind } from "../refusal.ts";
import { entitlementRule, type Evaluation } from "./evaluate.ts";
import type { Objection } from "./objection.ts";

type Denial = Objection & { readonly kind: RuleKind };

/** Which kind of rule a refusal names where several hold: what the tenant is comes before where the work would go. */
const order: readonly RuleKind[] = [
  "ownership",
  "tier",
  "end_use",
  "weights_location",
  "own_jurisdiction",
  "tenant_countries",
  "evidence",
];

/** Why nothing was admitted, as one refusal; `undefined` where something was. Same evaluation, same refusal. */
export function refusalOf(evaluation: Evaluation, modelName: string): Refusal | undefined {
  const { candidates, tenant, surface } = evaluation;
  if (candidates.some(({ admitted }) => admitted)) return undefined;
  // A model that the tenant did not buy, or that nobody hosts, must look like one that is not there.
  if (candidates.length === 0 || tenant.some(({ rule }) => rule === entitlementRule))
    return { kind: "model_not_found", model: modelName };
  if (tenant.length > 0) return fromObjections(tenant, tenant, modelName);
  const speaking = candidates.filter(({ deployment }) => deployment.surfaces.has(surface));
  const permittedButSilent = candidates.some(({ objections }) => objections.every(({ kind }) => kind === "surface"));
  if (speaking.length === 0 || permittedButSilent) return { kind: "surface_not_served", model: modelName, surface };
  const all = speaking.flatMap(({ objections }) => objections);
  const most = mostFrequent(speaking.map(({ objections }) => objections));
  return fromObjections(most === undefined ? all : all.filter(({ kind }) => kind === most), all, modelName);
}

/** The kind that refused the most candidates, each counted once; of equals the earlier in `order`. */
function mostFrequent(perCandidate: readonly (readonly Objection[])[]): RuleKind | undefined {
  let most: { readonly kind: RuleKind; readonly count: number } | undefined;
  for (const kind of order) {
    const count = perCandidate.filter((objections) => objections.some((objection) => objection.kind === kind)).length;
    if (count > (most?.count ?? 0)) most = { kind, count };
  }
  return most?.kind;
}

/** A denial where there is one, for it is certain; else the fact that is missing. */
function fromObjections(relevant: readonly Objection[], all: readonly Objection[], model: string): Refusal {
  const denials = relevant.filter((objection): objection is Denial => (order as readonly string[]).includes(objection.kind));
  const first = order.flatMap((kind) => denials.find((denial) => denial.kind === kind) ?? [])[0];
  if (first === undefined) {
    return {
      kind: "fact_unknown",
      model,
      fact: all.find(({ fact }) => fact !== undefined)?.fact ?? "something that a rule asks for",
    };
  }
  const reasons = [...new Set(denials.filter(({ kind }) => kind === first.kind).map(({ rule }) => rule))];
  return { kind: "policy_denied", model, rule: first.kind, reasons, sentence: first.sentence };
}
