import type { Rule } from "../region/policy.ts";
import { RuleSet } from "./rule-set.ts";

/** Past this many values of a fact they are looked up anew: texts that tenants make up are without end. */
const mostValues = 1_000;

/** For each value of a fact the rules that it touches. Every rule is asked when a value is first seen, and not again. */
export class RuleLookup<Value> {
  readonly #rules: readonly Rule[];
  readonly #touches: (rule: Rule, value: Value) => boolean;
  readonly #known = new Map<Value, RuleSet>();

  constructor(rules: readonly Rule[], touches: (rule: Rule, value: Value) => boolean) {
    this.#rules = rules;
    this.#touches = touches;
  }

  of(value: Value): RuleSet {
    let touched = this.#known.get(value);
    if (touched === undefined) {
      touched = RuleSet.where(this.#rules, (rule) => this.#touches(rule, value));
      if (this.#known.size >= mostValues) this.#known.clear();
      this.#known.set(value, touched);
    }
    return touched;
  }
}
