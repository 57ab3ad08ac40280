import type { Rule, Ruling } from "../region/policy.ts";
import type { RuleKind } from "../refusal.ts";
import type { FactOutcome, Found } from "./fact-outcome.ts";

/** What one rule, or one check that stands in no file, says to one tenant, request or deployment. */
export interface Finding {
  /** The rule's id; with a colon in it, a check that stands in no file: `hosting:gpt-5`, `tenant:countries`. */
  readonly rule: string;
  readonly kind: RuleKind | "exemption" | "surface";
  readonly outcome: FactOutcome;
  /** What follows from the rule by itself. `allow` where it has nothing against it; what is not certain is denied. */
  readonly decision: Ruling["decision"];
  /** As the rule's author calls its reasons. */
  readonly codes: readonly string[];
  /** For spans and `explain`: what it found. */
  readonly reason: string;
  /** For the person who is refused. */
  readonly sentence: string;
  /** Where the outcome is not certain: which fact, in words. */
  readonly fact?: string | undefined;
  /** The exemption that took it away. */
  readonly liftedBy?: string | undefined;
}

/** What makes a denial of what is not certain, by outcome. */
const uncertain = {
  unknown: "is not known",
  stale: "is shown by nothing that is recent enough",
  conflicting: "is told differently by current documents",
} as const;

export type Check = Pick<Finding, "rule" | "kind" | "codes" | "sentence"> & { readonly decision: Ruling["decision"] };

export function checkOf(rule: Rule): Check {
  return { rule: rule.id, kind: rule.kind, codes: rule.reasonCodes, sentence: rule.because, decision: rule.ruling.decision };
}

/** A check that stands in no file; it only denies. */
export function unwritten(rule: string, kind: Check["kind"], sentence: string): Check {
  return { rule, kind, codes: [rule], sentence, decision: "deny" };
}

/** `reason` says what a match means; where the outcome is not certain, the fact says it. */
export function finding(check: Check, { outcome, what }: Found, reason: string): Finding {
  const { rule, kind, codes, sentence, decision } = check;
  if (outcome === "match") return { rule, kind, codes, sentence, decision, outcome, reason };
  if (outcome === "no_match") return { rule, kind, codes, sentence, decision: "allow", outcome, reason: "nothing against it" };
  return {
    rule,
    kind,
    codes,
    sentence: `${what.charAt(0).toUpperCase()}${what.slice(1)} ${uncertain[outcome]}.`,
    // What an exemption asks and nobody knows exempts nobody, and is no reason to refuse by itself.
    decision: kind === "exemption" ? "allow" : "deny",
    outcome,
    reason: `${what} ${uncertain[outcome]}`,
    fact: what,
  };
}

/** What a receipt calls a no: the rule's kind, or the way in which a fact is not certain. */
export type ObjectionKind = RuleKind | "surface" | "fact_unknown" | "fact_stale" | "fact_conflicting";

export function objectionKind({ outcome, kind }: Pick<Finding, "outcome" | "kind">): ObjectionKind {
  if (outcome === "unknown") return "fact_unknown";
  if (outcome === "stale") return "fact_stale";
  if (outcome === "conflicting") return "fact_conflicting";
  if (kind === "exemption") throw new TypeError("An exemption objects to nothing.");
  return kind;
}
