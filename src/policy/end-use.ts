import type { Rule } from "../region/policy.ts";
import { noMatch, type Found } from "./fact-outcome.ts";
import type { Fact } from "./facts.ts";

type EndUseRule = Extract<Rule, { kind: "end_use" }>;

/** A rule's terms as words, worked out once for all tenants. */
const terms = new WeakMap<
  EndUseRule,
  { readonly denied: readonly string[]; readonly allowed: ReadonlySet<string> | undefined }
>();

/** Whether a declared end use is one that the rule is about. */
export function judgeEndUse(rule: EndUseRule, declared: Fact): Found {
  const use = words(declared.value ?? "");
  if (use === "") return { outcome: "unknown", what: declared.words };
  let known = terms.get(rule);
  if (known === undefined)
    terms.set(rule, (known = { denied: rule.denied.map(words), allowed: rule.allowed && new Set(rule.allowed.map(words)) }));
  const denied = known.denied.findIndex((term) => ` ${use} `.includes(` ${term} `));
  if (denied >= 0) return { outcome: "match", what: `the declared end use is ${rule.denied[denied] ?? ""}` };
  if (known.allowed?.has(use) === false) return { outcome: "match", what: "the declared end use is not one of those allowed" };
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
