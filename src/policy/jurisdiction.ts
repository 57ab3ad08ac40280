import { assignedCountries } from "../region/assigned-countries.ts";
import type { Country } from "../region/country.ts";
import type { Policy } from "../region/policy.ts";
import type { Tenant, TenantFacts } from "../tenant/tenant.ts";

export interface TenantJurisdictions {
  /** Every country that counts as the tenant's own, groups that are one jurisdiction included. */
  readonly countries: ReadonlySet<Country>;
  /** The facts that are not known, in words; while there is one, the set may lack a country. */
  readonly unknown: readonly string[];
}

const countryFacts: readonly (readonly [keyof TenantFacts & `${string}Country`, string])[] = [
  ["registeredCountry", "your company's registered country"],
  ["headquartersCountry", "the country of your company's headquarters"],
  ["ultimateParentCountry", "the country of your company's ultimate parent"],
];

export interface KnownCountries {
  /** As the facts say it, without what a group adds. */
  readonly known: readonly Country[];
  readonly unknown: readonly string[];
}

/** Where the tenant is registered, led and owned. A code that no country has is as good as no fact. */
export function knownCountries(facts: TenantFacts): KnownCountries {
  const known: Country[] = [];
  const unknown: string[] = [];
  for (const [fact, words] of countryFacts) {
    const country = facts[fact];
    if (country !== undefined && assignedCountries.has(country)) known.push(country);
    else unknown.push(words);
  }
  return { known, unknown };
}

/** Where the tenant must not be served from: registered country, headquarters and ultimate parent alike. */
export function tenantJurisdictions(tenant: Pick<Tenant, "facts">, policy: Pick<Policy, "jurisdictions">): TenantJurisdictions {
  const { known, unknown } = knownCountries(tenant.facts);
  const countries = new Set<Country>();
  for (const country of known) for (const own of policy.jurisdictions.get(country) ?? [country]) countries.add(own);
  return { countries, unknown };
}
