import { frozenSet } from "./frozen.ts";

/**
 * Where something may happen. A deployment declares the *set* of countries in which it may process: a Standard
 * deployment in Singapore's geography may run in Hong Kong. `anywhere` is a Global SKU; `unknown` meets everything, so
 * that a fact nobody declared refuses.
 */
export type Country = string;

export type CountrySet =
  | { readonly kind: "countries"; readonly countries: ReadonlySet<Country> }
  | { readonly kind: "anywhere" }
  | { readonly kind: "unknown" };

export const anywhere: CountrySet = Object.freeze({ kind: "anywhere" });
export const unknownCountries: CountrySet = Object.freeze({ kind: "unknown" });

/** ISO 3166-1 alpha-2, upper case. Whether the code is assigned is checked where the catalogue is read. */
export const countryPattern: RegExp = /^[A-Z]{2}$/;

/** An empty list is a fact nobody filled in, so it is unknown rather than nowhere. */
export function countrySet(countries: Iterable<Country>): CountrySet {
  const set = frozenSet(countries);
  return set.size === 0 ? unknownCountries : Object.freeze({ kind: "countries", countries: set });
}

/** The first country that both sets may share, or `anywhere` or `unknown`; `undefined` only where they certainly share none. */
export function meets(set: CountrySet, others: ReadonlySet<Country>): Country | undefined {
  if (others.size === 0) return undefined;
  if (set.kind !== "countries") return set.kind;
  for (const country of set.countries) if (others.has(country)) return country;
  return undefined;
}

/** Whether everything in `set` certainly lies in `allowed`. */
export function within(set: CountrySet, allowed: ReadonlySet<Country>): boolean {
  if (set.kind !== "countries") return false;
  for (const country of set.countries) if (!allowed.has(country)) return false;
  return true;
}

/** Sets are made once, with the catalogue, and shown on every answer. */
const shown = new WeakMap<CountrySet, string>();

/** As answers and receipts show it: `SG,HK` in alphabetical order, `*` for anywhere, `?` for unknown. */
export function showCountries(set: CountrySet): string {
  if (set.kind === "anywhere") return "*";
  if (set.kind === "unknown") return "?";
  let text = shown.get(set);
  if (text === undefined) shown.set(set, (text = [...set.countries].sort().join(",")));
  return text;
}
