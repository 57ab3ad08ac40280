/**
 * What a rule finds when it looks at facts. `match` is what the rule is about; only `no_match` lets the request pass. A
 * fact that nobody declared, that is too old, or that documents disagree on may turn out either way, so it refuses.
 */
export type FactOutcome = "match" | "no_match" | "unknown" | "stale" | "conflicting";

export interface Found {
  readonly outcome: FactOutcome;
  /** What matched; or which fact is not certain, in words that a refusal can use. */
  readonly what: string;
}

export const noMatch: Found = Object.freeze({ outcome: "no_match", what: "" });

const strength: Readonly<Record<FactOutcome, number>> = { match: 4, conflicting: 3, stale: 2, unknown: 1, no_match: 0 };

/** Of what two facts that one rule asks for are found to be, what decides; of equals the first. */
export function stronger(one: Found, other: Found): Found {
  return strength[other.outcome] > strength[one.outcome] ? other : one;
}

/** Of several facts the same. */
export function strongest(founds: readonly Found[]): Found {
  return founds.reduce(stronger, noMatch);
}
