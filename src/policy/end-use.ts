import type { Rule } from "../region/policy.ts";
import { noMatch, type Found } from "./fact-outcome.ts";
import type { Fact } from "./facts.ts";

/** Whether a declared end use is one that the rule is about. */
export function judgeEndUse(rule: Extract<Rule, { kind: "end_use" }>, declared: Fact): Found {
  const use = words(declared.value ?? "");
  if (use === "") return { outcome: "unknown", what: declared.words };
  const denied = rule.denied.find((term) => ` ${use} `.includes(` ${words(term)} `));
  if (denied !== undefined) return { outcome: "match", what: `the declared end use is ${denied}` };
  if (rule.allowed?.every((term) => words(term) !== use))
    return { outcome: "match", what: "the declared end use is not one of those allowed" };
  return noMatch;
}

/** So that `Military-logistics` is found by `military`, and `paramilitary` is not. */
function words(text: string): string {
  return text
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "")
    .join(" ");
}
