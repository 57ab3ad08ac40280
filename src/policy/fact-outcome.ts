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

/** The outcomes from strongest to weakest: of several facts that one rule asks for, the first of these decides. */
const strength: readonly FactOutcome[] = ["match", "conflicting", "stale", "unknown", "no_match"];

export function strongest(founds: readonly Found[]): Found {
  for (const outcome of strength) {
    const found = founds.find((candidate) => candidate.outcome === outcome);
    if (found !== undefined) return found;
  }
  return noMatch;
}
