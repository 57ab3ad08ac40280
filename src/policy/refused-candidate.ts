import type { Deployment } from "../region/catalogue.ts";
import { objectionKind, type Finding } from "./finding.ts";
import type { RefusedCandidate } from "./permit.ts";

/** A refused deployment as permits and receipts tell it: by the first objection; nothing where there is none. */
export function refusedCandidate(deployment: Deployment, objection: Finding | undefined): RefusedCandidate[] {
  if (objection === undefined) return [];
  const { rule, reason } = objection;
  return [Object.freeze({ deployment: deployment.id, kind: objectionKind(objection), rule, reason })];
}
