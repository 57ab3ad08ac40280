import type { Country } from "../region/country.ts";
import type { Policy, Rule, ShareOperator } from "../region/policy.ts";
import { EndUseLookup } from "./end-use.ts";
import { certainty, certainValues, type AgeLimit } from "./facts.ts";
import { findNationality } from "./nationality.ts";
import { compareShares, mayMean, passesUnmeant } from "./owners.ts";
import { RuleLookup } from "./rule-lookup.ts";
import { BitSet } from "./bit-set.ts";
import { minds, type Situation } from "./tenant-rules.ts";

/** Something that many rules ask of a subject, asked for all of them at once. */
export interface Question {
  readonly asking: BitSet;
  /** Names sets of rules in which are all those that find something by it in the subject, or may. */
  readonly touch: Touch;
}

type Touch = (situation: Situation, touched: (rules: BitSet) => void) => void;

const topics = [
  "nothing",
  "countries",
  "end_use",
  "owners",
  "parties",
  "nationality",
  "hosted_tools",
  "log_probabilities",
] as const;

type Topic = (typeof topics)[number];

/** All that a rule asks of those whom it is about. Who asks for `nothing` finds something in everybody. */
function topicsOf(rule: Rule): readonly Topic[] {
  switch (rule.kind) {
    case "weights_location":
    case "tenant_countries":
    case "evidence":
      return [];
    case "tier":
      return ["nothing"];
    case "own_jurisdiction":
      return ["countries"];
    case "withdrawal":
      return [rule.openTo === undefined ? "nothing" : "countries"];
    case "ownership":
      if (rule.share === undefined) return ["countries"];
      return [
        "owners",
        ...(rule.ownersIn.size > 0 ? ["countries" as const] : []),
        ...(rule.ownersOn.length > 0 ? ["parties" as const] : []),
      ];
    case "exemption":
      return ["parties"];
    case "end_use":
    case "nationality":
    case "hosted_tools":
    case "log_probabilities":
      return [rule.kind];
  }
}

/** The rules of one age limit that ask for a topic. */
interface Askers {
  readonly rules: readonly Rule[];
  readonly asking: BitSet;
  readonly limit: AgeLimit;
  readonly policy: Policy;
}

const questions: Readonly<Record<Topic, (askers: Askers) => Touch>> = {
  nothing({ asking }) {
    return (_, touched) => touched(asking);
  },

  countries({ rules, asking, limit }) {
    const minding = new RuleLookup<Country>(rules, minds);
    return ({ view, horizon }, touched) => {
      const countries = certainValues(view.countries, limit, horizon);
      if (countries === undefined) touched(asking);
      else for (const country of countries) touched(minding.of(country));
    };
  },

  end_use({ rules, asking, limit }) {
    const finding = new EndUseLookup(rules);
    return ({ view: { endUse }, horizon }, touched) => {
      const isCertain = certainty(endUse, limit, horizon).outcome === "no_match";
      touched(isCertain ? finding.of(endUse.value ?? "") : asking);
    };
  },

  owners({ rules, asking, limit }) {
    const meaning = new RuleLookup<Country | undefined>(
      rules,
      (rule, country) => rule.kind === "ownership" && mayMean(rule, country),
    );
    const shares = sharesOf(rules, asking);
    return ({ inputs, horizon }, touched) => {
      const { ownership } = inputs.tenant;
      for (const { share, asking: wanting } of shares) {
        if (passesUnmeant(ownership, share, limit, horizon)) break;
        touched(wanting);
      }
      for (const { kind, country } of ownership?.owners ?? []) if (kind !== "dispersed") touched(meaning.of(country));
    };
  },

  parties({ rules, asking, policy }) {
    const readers = [...policy.lists.keys()].map((name) => ({
      name,
      reading: BitSet.where(rules, (rule, number) => asking.has(number) && partyLists(rule).includes(name)),
    }));
    const read = readers.filter(({ reading }) => !reading.isEmpty);
    return ({ inputs: { tenant }, listed }, touched) => {
      for (const { name, reading } of read) {
        const isNamed = listed.isOn(name, tenant) || tenant.ownership?.owners.some((owner) => listed.isOn(name, owner)) === true;
        if (isNamed) touched(reading);
      }
    };
  },

  nationality({ rules }) {
    const finding = new RuleLookup<Country | null>(
      rules,
      (rule, claimed) => rule.kind === "nationality" && findNationality(rule, claimed).outcome !== "no_match",
    );
    return ({ inputs: { request } }, touched) => touched(finding.of(request.endUserNationality));
  },

  hosted_tools({ asking }) {
    return ({ inputs: { request } }, touched) => {
      if (request.hostedTools.length > 0) touched(asking);
    };
  },

  log_probabilities({ asking }) {
    return ({ inputs: { request } }, touched) => {
      if (request.logProbabilities !== "none") touched(asking);
    };
  },
};

/** All that those of the rules ask that want facts of this age; every rule keeps its place in `rules`. */
export function questionsOf(rules: readonly Rule[], limit: AgeLimit, policy: Policy): readonly Question[] {
  return topics.flatMap((topic) => {
    const asking = BitSet.where(rules, (rule) => isOf(limit, rule) && topicsOf(rule).includes(topic));
    return asking.isEmpty ? [] : [{ asking, touch: questions[topic]({ rules, asking, limit, policy }) }];
  });
}

function isOf({ factsNoOlderThanMs }: AgeLimit, rule: Rule): boolean {
  return rule.factsNoOlderThanMs === factsNoOlderThanMs;
}

/** The lists on which a rule looks for the tenant or its owners. */
function partyLists(rule: Rule): readonly string[] {
  if (rule.kind === "ownership") return rule.ownersOn;
  return rule.kind === "exemption" ? rule.partiesOn : [];
}

/** One entry for all that ask for the same share, the smallest first. */
function sharesOf(rules: readonly Rule[], asking: BitSet): readonly { readonly share: ShareOperator; readonly asking: BitSet }[] {
  const shares = new Map<string, { readonly share: ShareOperator; readonly asking: BitSet }>();
  for (const number of asking.numbers()) {
    const rule = rules[number];
    if (rule?.kind !== "ownership" || rule.share === undefined) continue;
    const { share } = rule;
    const key = `${share.compare} ${share.basisPoints}`;
    let same = shares.get(key);
    if (same === undefined) shares.set(key, (same = { share, asking: new BitSet(rules.length) }));
    same.asking.add(number);
  }
  return [...shares.values()].sort((one, other) => compareShares(one.share, other.share));
}
