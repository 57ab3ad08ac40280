import { writtenOnce } from "../canonical-json.ts";
import type { CutOffCandidate, RefusedCandidate } from "../policy/permit.ts";

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

/** Deployments that the policy admits and an order of revocation, or a quarantine, took away. */
export interface CandidatesCutOff {
  readonly order: string;
  readonly deployments: readonly string[];
}

/** By order; `undefined` where there is none, as almost always. */
export function candidatesCutOff(cutOff: readonly CutOffCandidate[]): readonly CandidatesCutOff[] | undefined {
  if (cutOff.length === 0) return undefined;
  const byOrder = Map.groupBy(cutOff, ({ order }) => order);
  return [...byOrder].map(([order, group]) => ({ order, deployments: group.map(({ deployment }) => deployment) }));
}
