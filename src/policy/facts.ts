import { assignedCountries } from "../region/assigned-countries.ts";
import type { Country } from "../region/country.ts";
import type { Rule } from "../region/policy.ts";
import type { FactInput, TenantInputs } from "./decision-inputs.ts";
import { noMatch, stronger, type Found } from "./fact-outcome.ts";
import type { Horizon } from "./horizon.ts";

/** A fact as rules look at it. */
export interface Fact {
  /** What a refusal calls it. */
  readonly words: string;
  readonly value: string | undefined;
  /** `undefined`: nothing that has a date shows it. */
  readonly asOfMs: number | undefined;
  readonly contradictedBy: readonly string[];
}

/** How old what shows a fact may be, for a rule to rely on it. */
export type AgeLimit = Pick<Rule, "factsNoOlderThanMs">;

export function factOf(words: string, input: FactInput | null): Fact {
  if (input === null) return { words, value: undefined, asOfMs: undefined, contradictedBy: [] };
  const contradictedBy = input.contradictedBy.filter((value) => value !== input.value);
  return { words, value: input.value, asOfMs: instantOf(input.asOf), contradictedBy };
}

/** Where the tenant is registered, led and owned. A code that no country has is as good as no fact. */
export function countryFacts(tenant: TenantInputs): readonly Fact[] {
  return [
    factOf("your company's registered country", tenant.registeredCountry),
    factOf("the country of your company's headquarters", tenant.headquartersCountry),
    factOf("the country of your company's ultimate parent", tenant.ultimateParentCountry),
  ].map((fact) => (fact.value !== undefined && assignedCountries.has(fact.value) ? fact : { ...fact, value: undefined }));
}

/** Every country that any document says of the tenant, certain or not: where it must not be served from is never too large. */
export function everyCountry(facts: readonly Fact[]): readonly Country[] {
  return facts.flatMap(({ value, contradictedBy }) => (value === undefined ? contradictedBy : [value, ...contradictedBy]));
}

/** Whether a fact may be relied on: `no_match` says so, and any other outcome says why not. */
export function certainty(fact: Fact, limit: AgeLimit, horizon: Horizon): Found {
  if (fact.value === undefined) return { outcome: "unknown", what: fact.words };
  if (fact.contradictedBy.length > 0) return { outcome: "conflicting", what: fact.words };
  if (isStale(fact.asOfMs, limit, horizon)) return { outcome: "stale", what: fact.words };
  return noMatch;
}

/** What some facts say; `undefined` where one of them may not be relied on. */
export function certainValues(facts: readonly Fact[], limit: AgeLimit, horizon: Horizon): readonly string[] | undefined {
  const values: string[] = [];
  for (const fact of facts) {
    if (fact.value === undefined || certainty(fact, limit, horizon) !== noMatch) return undefined;
    values.push(fact.value);
  }
  return values;
}

/** What nobody dated may be of any age. */
export function isStale(asOfMs: number | undefined, { factsNoOlderThanMs }: AgeLimit, horizon: Horizon): boolean {
  if (factsNoOlderThanMs === undefined) return false;
  return asOfMs === undefined || horizon.isPast(asOfMs + factsNoOlderThanMs);
}

/** Whether one of the countries is one of those that a rule is about. What is certain may suffice to match; what is not never suffices for none. */
export function findCountry(
  facts: readonly Fact[],
  isMeant: (country: Country) => boolean,
  limit: AgeLimit,
  horizon: Horizon,
): Found {
  let found = noMatch;
  for (const fact of facts) {
    const certain = certainty(fact, limit, horizon);
    const isMatch = certain === noMatch && fact.value !== undefined && isMeant(fact.value);
    found = stronger(found, isMatch ? { outcome: "match", what: fact.value ?? "" } : certain);
  }
  return found;
}

/** Milliseconds since the epoch; what is no time is as good as none. */
export function instantOf(rfc3339: string | null): number | undefined {
  const instantMs = rfc3339 === null ? Number.NaN : Date.parse(rfc3339);
  return Number.isNaN(instantMs) ? undefined : instantMs;
}
