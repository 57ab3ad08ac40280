import type { Rule } from "../region/policy.ts";
import { noMatch, type Found } from "./fact-outcome.ts";
import type { Fact } from "./facts.ts";
import { BitSet } from "./bit-set.ts";

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

/** The rules that find something in a declared end use, by the words in it. */
export class EndUseLookup {
  readonly #rules: readonly Rule[];
  readonly #denying = new Map<string, BitSet>();
  readonly #allowing = new Map<string, BitSet>();
  readonly #listing: BitSet;
  readonly #all: BitSet;
  /** In words. */
  #longestTerm = 0;

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    this.#all = BitSet.where(rules, ({ kind }) => kind === "end_use");
    this.#listing = BitSet.where(rules, (rule) => rule.kind === "end_use" && rule.allowed !== undefined);
    for (const [number, rule] of rules.entries()) {
      if (rule.kind !== "end_use") continue;
      for (const use of rule.allowed ?? []) this.#setFor(words(use), this.#allowing).add(number);
      for (const term of rule.denied) {
        const plain = words(term);
        this.#setFor(plain, this.#denying).add(number);
        this.#longestTerm = Math.max(this.#longestTerm, plain.split(" ").length);
      }
    }
  }

  of(declared: string): BitSet {
    const use = words(declared);
    // Then nobody knows what it is.
    if (use === "") return this.#all;
    const found = this.#listing.copy();
    const allowing = this.#allowing.get(use);
    if (allowing !== undefined) found.remove(allowing);
    const each = use.split(" ");
    for (let first = 0; first < each.length; first += 1) {
      let term = "";
      for (let next = first; next < Math.min(each.length, first + this.#longestTerm); next += 1) {
        term = next === first ? (each[next] ?? "") : `${term} ${each[next] ?? ""}`;
        const denying = this.#denying.get(term);
        if (denying !== undefined) found.addAll(denying);
      }
    }
    return found;
  }

  #setFor(term: string, sets: Map<string, BitSet>): BitSet {
    let set = sets.get(term);
    if (set === undefined) sets.set(term, (set = new BitSet(this.#rules.length)));
    return set;
  }
}

/** Whether an end use has a term in it as whole words. */
export function hasTerm(use: string, term: string): boolean {
  return ` ${words(use)} `.includes(` ${words(term)} `);
}

/** So that `Military-logistics` is found by `military`, and `paramilitary` is not. */
function words(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}
