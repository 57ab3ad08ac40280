import type { Rule } from "../region/policy.ts";
import { noMatch, type Found } from "./fact-outcome.ts";
import type { Fact } from "./facts.ts";

/** Whether a declared end use is one that the rule is about. */
export function judgeEndUse(rule: Extract<Rule, { kind: "end_use" }>, declared: Fact): Found {
  const use = words(declared.value ?? "");
  if (use === "") return { outcome: "unknown", what: declared.words };
  const denied = rule.denied.find((term) => hasTerm(use, term));
  if (denied !== undefined) return { outcome: "match", what: `the declared end use is ${denied}` };
  if (rule.allowed?.every((term) => words(term) !== use))
    return { outcome: "match", what: "the declared end use is not one of those allowed" };
  return noMatch;
}

/** Whether an end use has a term in it as whole words. */
export function hasTerm(use: string, term: string): boolean {
  return ` ${words(use)} `.includes(` ${words(term)} `);
}

/** So that `Military-logistics` is found by `military`, and `paramilitary` is not. */
function words(text: string): string {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .join(" ");
}
