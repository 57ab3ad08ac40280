import type { Rule } from "../region/policy.ts";
import { BitSet } from "./bit-set.ts";
import { Memo } from "./memo.ts";

/** Past this many values of a fact they are looked up anew: texts that tenants make up are without end. */
const mostValues = 1_000;

/** For each value of a fact the rules that it touches. Every rule is asked when a value is first seen, and not again. */
export class RuleLookup<Value> {
  readonly #rules: readonly Rule[];
  readonly #touches: (rule: Rule, value: Value) => boolean;
  readonly #known = new Memo<Value, BitSet>(mostValues);

  constructor(rules: readonly Rule[], touches: (rule: Rule, value: Value) => boolean) {
    this.#rules = rules;
    this.#touches = touches;
  }

  of(value: Value): BitSet {
    return this.#known.get(value, () => BitSet.where(this.#rules, (rule) => this.#touches(rule, value)));
  }
}
