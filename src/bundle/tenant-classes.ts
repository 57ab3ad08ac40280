/**
 * The tenants and requests that a policy can tell apart, one of each kind, so that all of them can be tried.
 *
 * Rules compare what is known of a tenant with sets: of countries, of words, of parties. Two values that stand in the
 * same sets are the same to every rule, and one of them is tried for both. Three things are left out, because what they
 * reach is reached without them as well:
 *
 *   - a tenant of several countries, for each more country only lets more rules match, and no exemption looks at one;
 *   - what a tenant asks for itself (lists of countries, grades of evidence, fewer tiers) or adds to a request (tools,
 *     log probabilities), for it only refuses or lessens;
 *   - facts that are stale or conflicting, for they refuse as unknown ones do, and those are tried.
 */
import type { CompiledPolicy } from "../policy/compiled-policy.ts";
import { plainRequest, type FactInput, type RequestInputs, type TenantInputs } from "../policy/decision-inputs.ts";
import { hasTerm } from "../policy/end-use.ts";
import { isListed, type Party } from "../policy/listed-parties.ts";
import { assignedCountries } from "../region/assigned-countries.ts";
import type { Model } from "../region/catalogue.ts";
import { meets, type Country } from "../region/country.ts";
import type { Invariant } from "../region/invariant.ts";
import type { Audience, Policy, Rule } from "../region/policy.ts";
import { tenantItself, wholeBasisPoints, type Ownership } from "../tenant/ownership.ts";

export interface TenantClass {
  readonly tenant: TenantInputs;
  readonly request: RequestInputs;
}

/** Every class of tenants and requests that the rules in force for a model, or an invariant, can tell apart. */
export function tenantClasses(compiled: CompiledPolicy, model: Model): readonly TenantClass[] {
  const { policy, catalogue } = compiled;
  const { rules } = compiled.rulesFor(model);
  const { invariants } = policy;
  const parties = partyClasses(rules, policy);
  const tiers = [...new Set([...catalogue.models.values()].map(({ tier }) => tier))].sort();
  const open: Omit<TenantInputs, "registeredCountry" | "endUse" | "audience" | "ownership" | "name" | "identifiers"> = {
    state: "verified",
    verifiedUntil: null,
    headquartersCountry: null,
    ultimateParentCountry: null,
    tiers,
    allowCountries: null,
    denyCountries: [],
    leastEvidence: null,
  };
  const asOf = new Date(Number.isFinite(compiled.fromMs) ? compiled.fromMs : 0).toISOString();
  const fact = <Value extends string>(value: Value | undefined): (FactInput & { readonly value: Value }) | null =>
    value === undefined ? null : { value, asOf, contradictedBy: [] };
  const tenants = product(
    countryClasses(compiled, model),
    endUseClasses(rules, invariants),
    audienceClasses(rules, invariants),
    parties,
    ownershipClasses(rules, invariants, parties, asOf),
  ).map(([country, endUse, audience, party, ownership]): TenantInputs => {
    const countryFact = fact(country);
    return {
      ...open,
      ...party,
      registeredCountry: countryFact,
      headquartersCountry: countryFact,
      ultimateParentCountry: countryFact,
      endUse: fact(endUse),
      audience: fact(audience),
      ownership,
    };
  });
  return product(tenants, requestClasses(rules)).map(([tenant, request]) => ({ tenant, request }));
}

/** One country of each kind, and none: by the sets of rules and invariants, and by the deployments that it keeps a tenant from. */
function countryClasses({ policy, catalogue }: CompiledPolicy, model: Model): readonly (Country | undefined)[] {
  const sets = [...policy.rules, ...policy.invariants].flatMap(setsIn);
  const models = [...catalogue.models.values()].filter((other) => other === model || isLesser(other, policy));
  const places = new Set(
    models.flatMap(({ id }) => (catalogue.deploymentsByModel.get(id) ?? []).map(({ countries }) => countries)),
  );
  const signature = (country: Country): string => {
    const own = policy.jurisdictions.get(country) ?? new Set([country]);
    return [...sets.map((set) => set.has(country)), ...[...places].map((place) => meets(place, own) !== undefined)]
      .map(Number)
      .join("");
  };
  return [...firstOfEach([...assignedCountries].sort(), signature), undefined];
}

function isLesser(model: Model, policy: Policy): boolean {
  return policy.rules.some(({ ruling }) => ruling.decision === "degrade" && "toModel" in ruling && ruling.toModel === model.id);
}

/** Whatever sets a rule has, also those of kinds that are not known here: a set too many only makes more classes. */
function setsIn(rule: Rule | Invariant): readonly ReadonlySet<unknown>[] {
  return Object.values(rule).filter((value): value is ReadonlySet<unknown> => value instanceof Set);
}

/** One end use of each kind, one that no rule names, and none. */
function endUseClasses(rules: readonly Rule[], invariants: readonly Invariant[]): readonly (string | undefined)[] {
  const named = rules.flatMap((rule) => (rule.kind === "end_use" ? [rule.denied, rule.allowed ?? []] : []));
  const lists = [...named, ...invariants.flatMap(({ endUses }) => (endUses === undefined ? [] : [endUses]))];
  const signature = (use: string): string => lists.map((terms) => Number(terms.some((term) => hasTerm(use, term)))).join("");
  return [...firstOfEach(["an end use that no rule names", ...lists.flat()], signature), undefined];
}

function audienceClasses(rules: readonly Rule[], invariants: readonly Invariant[]): readonly (Audience | undefined)[] {
  const isAsked = [...rules, ...invariants].some(({ audience }) => audience !== undefined);
  return isAsked ? ["internal", "public-facing", undefined] : ["internal"];
}

const nobody: Party = { name: "A company on no list", identifiers: [] };

/** One party of each kind that the lists which rules read can tell apart, and one on none of them. */
function partyClasses(rules: readonly Rule[], policy: Policy): readonly Party[] {
  const lists = [...new Set(rules.flatMap((rule) => rule.lists))].flatMap((name) => policy.lists.get(name) ?? []);
  const parties = lists.flatMap((list) => (list.kind === "parties" ? list.parties : []));
  return firstOfEach([nobody, ...parties], (party) => lists.map((list) => Number(isListed(party, list))).join(""));
}

/** Owned by many, by nobody known, and wholly by one owner of each kind that rules about owners can tell apart. */
function ownershipClasses(
  rules: readonly Rule[],
  invariants: readonly Invariant[],
  parties: readonly Party[],
  asOf: string,
): readonly (Ownership | null)[] {
  const shares = rules.flatMap((rule) => (rule.kind === "ownership" && rule.share !== undefined ? [rule.ownersIn] : []));
  const sets = [...shares, ...invariants.flatMap(({ ownersIn }) => ownersIn ?? [])];
  const ownedBy = ({ name, identifiers }: Party, country: Country | undefined, kind: "company" | "dispersed"): Ownership => ({
    owners: [{ id: "owner", name, kind, country, identifiers }],
    holdings: [{ owner: "owner", of: tenantItself, basisPoints: wholeBasisPoints, evidence: "class", asOf }],
  });
  const dispersed = ownedBy(nobody, undefined, "dispersed");
  if (sets.length === 0) return [dispersed];
  const signature = (country: Country): string => sets.map((set) => Number(set.has(country))).join("");
  const countries = firstOfEach([...assignedCountries].sort(), signature);
  const elsewhere = countries.find((country) => sets.every((set) => !set.has(country)));
  return [
    dispersed,
    null,
    ...countries.map((country) => ownedBy(nobody, country, "company")),
    ...parties.filter((party) => party !== nobody).map((party) => ownedBy(party, elsewhere, "company")),
  ];
}

/** Without a claim of nationality, and with one of each kind that rules about it can tell apart. */
function requestClasses(rules: readonly Rule[]): readonly RequestInputs[] {
  const sets = rules.flatMap((rule) => (rule.kind === "nationality" ? setsIn(rule) : []));
  if (sets.length === 0) return [plainRequest];
  const countries = firstOfEach([...assignedCountries].sort(), (country) => sets.map((set) => Number(set.has(country))).join(""));
  return [plainRequest, ...countries.map((endUserNationality) => ({ ...plainRequest, endUserNationality }))];
}

/** Of values with one signature the first. */
function firstOfEach<Value>(values: readonly Value[], signature: (value: Value) => string): Value[] {
  const bySignature = new Map<string, Value>();
  for (const value of values) {
    const key = signature(value);
    if (!bySignature.has(key)) bySignature.set(key, value);
  }
  return [...bySignature.values()];
}

type Elements<Lists extends readonly (readonly unknown[])[]> = {
  readonly [Index in keyof Lists]: Lists[Index] extends readonly (infer Element)[] ? Element : never;
};

function product<Lists extends readonly (readonly unknown[])[]>(...lists: Lists): Elements<Lists>[] {
  const rows = lists.reduce<unknown[][]>((rows, list) => rows.flatMap((row) => list.map((element) => [...row, element])), [[]]);
  return rows as unknown as Elements<Lists>[];
}
