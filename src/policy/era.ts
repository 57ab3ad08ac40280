import type { Catalogue } from "../region/catalogue.ts";
import type { Policy } from "../region/policy.ts";

/** A stretch of time in which no dated rule begins or ends, under one policy and one catalogue. */
export interface Era {
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  /** Milliseconds since the epoch; the start belongs to the era, the end does not. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** The era of an instant: `last` itself where it still holds, also for a clock that was set back. */
export function eraAt(last: Era | undefined, policy: Policy, catalogue: Catalogue, atMs: number): Era {
  if (last !== undefined && last.policy === policy && last.catalogue === catalogue && last.fromMs <= atMs && atMs < last.untilMs)
    return last;
  const { boundariesMs } = policy;
  const fromMs = boundariesMs.findLast((boundary) => boundary <= atMs) ?? -Infinity;
  const untilMs = boundariesMs.find((boundary) => boundary > atMs) ?? Infinity;
  return { policy, catalogue, fromMs, untilMs };
}
