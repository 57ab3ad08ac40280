import { assignedCountries } from "../region/assigned-countries.ts";
import { countryPattern, type Country } from "../region/country.ts";
import { groupPrefix } from "../region/fields.ts";
import type { Policy } from "../region/policy.ts";
import type { TenantInputs } from "./decision-inputs.ts";
import { countryFacts, everyCountry, factOf, type Fact } from "./facts.ts";

/** The tenant as the rules need it under one policy. */
export interface SubjectView {
  readonly countries: readonly Fact[];
  /** Every country that counts as the tenant's own, groups that are one jurisdiction included. */
  readonly own: ReadonlySet<Country>;
  readonly endUse: Fact;
  readonly audience: Fact;
  readonly allow: ReadonlySet<Country> | undefined;
  readonly deny: ReadonlySet<Country>;
  /** An entry of the tenant's deny list that means nothing under this policy. */
  readonly unreadableDeny: string | undefined;
  /** Equal where deployments cannot tell two tenants apart, but for the rules that concern them. */
  readonly placeKey: string;
}

export function viewOf(tenant: TenantInputs, policy: Policy): SubjectView {
  const countries = countryFacts(tenant);
  const own = new Set<Country>();
  for (const country of new Set(everyCountry(countries)))
    for (const each of policy.jurisdictions.get(country) ?? [country]) own.add(each);
  const allow = tenant.allowCountries === null ? undefined : resolve(tenant.allowCountries, policy).countries;
  const deny = resolve(tenant.denyCountries, policy);
  const sorted = (set: ReadonlySet<Country>): string => [...set].sort().join();
  return {
    countries,
    own,
    endUse: factOf("your company's declared end use", tenant.endUse),
    audience: factOf("whether your company serves others with the models", tenant.audience),
    allow,
    deny: deny.countries,
    unreadableDeny: deny.unreadable,
    placeKey: [sorted(own), allow === undefined ? "*" : sorted(allow), sorted(deny.countries), tenant.leastEvidence ?? ""].join(
      ";",
    ),
  };
}

interface Resolved {
  readonly countries: ReadonlySet<Country>;
  readonly unreadable: string | undefined;
}

const nowhere: Resolved = { countries: new Set(), unreadable: undefined };

/** A tenant's own list. What it means is unknown where it names a group that the policy has not, or no country. */
function resolve(list: readonly string[], policy: Policy): Resolved {
  if (list.length === 0) return nowhere;
  const countries = new Set<Country>();
  let unreadable: string | undefined;
  for (const entry of list) {
    const group = entry.startsWith(groupPrefix) ? policy.groups.get(entry.slice(groupPrefix.length)) : undefined;
    if (group !== undefined) for (const country of group) countries.add(country);
    else if (countryPattern.test(entry) && assignedCountries.has(entry)) countries.add(entry);
    else unreadable ??= entry;
  }
  return { countries, unreadable };
}
