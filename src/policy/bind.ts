import { allow, refuse, type Decision } from "../decision.ts";
import type { Deployment } from "../region/catalogue.ts";
import type { BoundTo } from "./decision-inputs.ts";
import type { Permit } from "./permit.ts";

/**
 * The one deployment in which a request that refers to a stored response may run: the one that keeps it. Where the policy does
 * not permit that one, the refusal is the rule's; where the deployment is gone, so is the response.
 */
export function bind(
  { model, deployments, refused }: Pick<Permit, "model" | "deployments" | "refused">,
  boundTo: BoundTo,
): Decision<Deployment> {
  const { deployment: id, responseId } = boundTo;
  const deployment = deployments.find((candidate) => candidate.id === id);
  if (deployment !== undefined) return allow(deployment);
  const objection = refused.find((candidate) => candidate.deployment === id);
  if (objection === undefined || objection.kind === "surface") return refuse({ kind: "response_not_found", id: responseId });
  const { kind, rule } = objection;
  if (kind === "fact_unknown" || kind === "fact_stale" || kind === "fact_conflicting")
    return refuse({ kind, model: model.id, fact: "where that response is kept" });
  const sentence = `${JSON.stringify(responseId)} is kept where you may no longer be served.`;
  return refuse({ kind: "policy_denied", model: model.id, rule: kind, reasons: [rule], sentence });
}
