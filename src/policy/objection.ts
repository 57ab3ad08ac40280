import type { RefusedCandidate } from "./permit.ts";

/** One rule's no to one candidate. */
export interface Objection {
  readonly kind: RefusedCandidate["kind"];
  /** The rule's id; with a colon in it, a check that stands in no file: `hosting:gpt-5`, `tenant:countries`. */
  readonly rule: string;
  /** For spans and `explain`: what of this candidate the rule objects to. */
  readonly reason: string;
  /** For the person who is refused. */
  readonly sentence: string;
  /** With `fact_unknown`: which fact, in words. */
  readonly fact?: string;
}

/** What the catalogue or the directory does not tell refuses, and says which fact it is. */
export function unknownFact(rule: string, fact: string): Objection {
  return { kind: "fact_unknown", rule, reason: `${fact} is not known`, sentence: `${fact} is not known.`, fact };
}
