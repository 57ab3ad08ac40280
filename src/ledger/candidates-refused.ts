import { writtenOnce } from "../canonical-json.ts";
import type { RefusedCandidate } from "../policy/permit.ts";

/** Deployments that the policy refused for one reason. */
export interface CandidatesRefused {
  readonly rule: string;
  readonly reason: string;
  readonly deployments: readonly string[];
}

const known = new WeakMap<readonly RefusedCandidate[], readonly CandidatesRefused[]>();

/** By reason, because most share a few, and a receipt is kept for years. */
export function candidatesRefused(refused: readonly RefusedCandidate[]): readonly CandidatesRefused[] {
  let grouped = known.get(refused);
  if (grouped === undefined) {
    const groups = [...Map.groupBy(refused, ({ rule, reason }) => `${rule}\n${reason}`).values()];
    grouped = writtenOnce(
      groups.map((group) => ({
        rule: group[0]?.rule ?? "",
        reason: group[0]?.reason ?? "",
        deployments: group.map(({ deployment }) => deployment),
      })),
    );
    known.set(refused, grouped);
  }
  return grouped;
}
