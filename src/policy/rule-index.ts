import type { Country } from "../region/country.ts";
import type { Policy, Rule } from "../region/policy.ts";
import { ConcernedRules } from "./concerned-rules.ts";
import { certainValues, type AgeLimit } from "./facts.ts";
import { Memo } from "./memo.ts";
import { RuleLookup } from "./rule-lookup.ts";
import { questionsOf, type Question } from "./rule-questions.ts";
import { BitSet } from "./bit-set.ts";
import { unreliableList, type Situation } from "./tenant-rules.ts";

/** Past this many sets of rules that subjects are concerned by they are made anew. */
const mostConcerned = 1_000;

/** The rules of an index that are about a subject, or may be. None is in both sets. */
export interface Sifted {
  /** They are about the subject and find nothing. */
  readonly silent: BitSet;
  /** Only `judgeTenant` can tell whether they are about it, and what they find. */
  readonly open: BitSet;
}

/**
 * Rules turned around: from what may be said of a tenant and its request to the rules that this touches.
 *
 * A policy has hundreds of rules, and nearly all of them find nothing in a given tenant. So they are not asked one after
 * the other: for each value of a fact – a country, an end use, an owner's country, a tool – the set of rules that it touches
 * is worked out once, and a decision joins the sets of the values before it. Only what is left open then, mostly nothing, is
 * put to `judgeTenant`, which alone says what a rule finds. A rule may be left open in vain, but is never among the silent
 * ones where `judgeTenant` would find something.
 */
export class RuleIndex {
  readonly rules: readonly Rule[];
  /** They read a list that is too old or not of today: whom it would mean, nobody knows. */
  readonly #unreliable: BitSet;
  readonly #groups: readonly AgeGroup[];
  readonly #concerned = new Memo<string, ConcernedRules>(mostConcerned);

  /** For a stretch of time in which no list begins to count or grows too old; `atMs`, in milliseconds since the epoch, lies in it. */
  constructor(rules: readonly Rule[], policy: Policy, atMs: number) {
    this.rules = rules;
    this.#unreliable = BitSet.where(
      rules,
      ({ lists, tenantLists }) => unreliableList([...lists, ...tenantLists], policy, atMs) !== undefined,
    );
    const limits = new Set(rules.map(({ factsNoOlderThanMs }) => factsNoOlderThanMs));
    this.#groups = [...limits].map((factsNoOlderThanMs) => new AgeGroup(rules, { factsNoOlderThanMs }, policy));
  }

  /** @throws {RangeError} if there is no such rule. */
  rule(number: number): Rule {
    const rule = this.rules[number];
    if (rule === undefined) throw new RangeError(`There is no rule number ${number}.`);
    return rule;
  }

  /** One object for all subjects that the same rules are about. */
  concerned(numbers: BitSet): ConcernedRules {
    return this.#concerned.get(numbers.key(), () => new ConcernedRules(this.rules, numbers));
  }

  sift(situation: Situation): Sifted {
    const silent = new BitSet(this.rules.length);
    const open = this.#unreliable.copy();
    for (const group of this.#groups) {
      const about = group.about(situation, open);
      group.askOf(about, situation, open);
      silent.addAll(about);
    }
    silent.remove(open);
    return { silent, open };
  }
}

/** The rules that want facts shown by evidence of one age: for all of them the same facts are certain. */
class AgeGroup {
  readonly #limit: AgeLimit;
  readonly #rules: BitSet;
  /** Only about tenants that lie in certain countries. */
  readonly #ofCountries: BitSet;
  /** Only about tenants that serve one audience. */
  readonly #ofAudience: BitSet;
  readonly #aboutCountry: RuleLookup<Country>;
  readonly #notAboutAudience: RuleLookup<string>;
  readonly #questions: readonly Question[];

  constructor(all: readonly Rule[], limit: AgeLimit, policy: Policy) {
    this.#limit = limit;
    this.#rules = BitSet.where(all, (rule) => rule.factsNoOlderThanMs === limit.factsNoOlderThanMs);
    this.#ofCountries = BitSet.where(all, (rule, number) => this.#rules.has(number) && rule.tenantsIn !== undefined);
    this.#ofAudience = BitSet.where(all, (rule, number) => this.#rules.has(number) && rule.audience !== undefined);
    this.#aboutCountry = new RuleLookup(all, ({ tenantsIn }, country) => tenantsIn?.has(country) === true);
    this.#notAboutAudience = new RuleLookup(all, ({ audience }, value) => audience !== undefined && audience !== value);
    this.#questions = questionsOf(all, limit, policy);
  }

  /** The rules that are about the subject. Those of which an uncertain fact leaves that open are added to `open`. */
  about({ view, horizon }: Situation, open: BitSet): BitSet {
    const about = this.#rules.copy();
    if (!this.#ofCountries.isEmpty) {
      about.remove(this.#ofCountries);
      const countries = certainValues(view.countries, this.#limit, horizon);
      if (countries === undefined) open.addAll(this.#ofCountries);
      else for (const country of countries) about.addShared(this.#rules, this.#aboutCountry.of(country));
    }
    if (!this.#ofAudience.isEmpty) {
      const audience = certainValues([view.audience], this.#limit, horizon);
      if (audience === undefined) open.addAll(this.#ofAudience);
      else for (const value of audience) about.remove(this.#notAboutAudience.of(value));
    }
    return about;
  }

  /** Adds to `open` those of the rules about the subject that may find something. */
  askOf(about: BitSet, situation: Situation, open: BitSet): void {
    const touched = (rules: BitSet): void => open.addShared(about, rules);
    for (const { asking, touch } of this.#questions) if (about.meets(asking)) touch(situation, touched);
  }
}
