import type { EvidenceGrade, Model } from "../region/catalogue.ts";
import { countryPattern, type Country } from "../region/country.ts";
import { assignedCountries } from "../region/assigned-countries.ts";
import { groupPrefix } from "../region/fields.ts";
import type { Policy } from "../region/policy.ts";
import type { Tenant, TenantFacts } from "../tenant/tenant.ts";
import { knownCountries, tenantJurisdictions } from "./jurisdiction.ts";

/**
 * All of a tenant that a decision may look at. Rules see this and never the tenant, so that two tenants of which it is
 * the same are certain to get the same decision, and one evaluation serves both.
 */
export interface Subject {
  readonly facts: Omit<TenantFacts, "audience">;
  readonly entitled: boolean;
  readonly allowCountries: readonly string[] | undefined;
  readonly denyCountries: readonly string[];
  readonly leastEvidence: EvidenceGrade | undefined;
}

export function subjectOf(tenant: Tenant, model: Model): Subject {
  const { registeredCountry, headquartersCountry, ultimateParentCountry, endUse } = tenant.facts;
  return {
    facts: { registeredCountry, headquartersCountry, ultimateParentCountry, endUse },
    entitled: tenant.tiers.includes(model.tier),
    allowCountries: tenant.allowCountries,
    denyCountries: tenant.denyCountries,
    leastEvidence: tenant.leastEvidence,
  };
}

/** Equal exactly where the subjects are equal. */
export function subjectKey(subject: Subject): string {
  const { facts } = subject;
  // An array keeps an unknown fact (`null`) apart from one that is the empty string.
  return JSON.stringify([
    facts.registeredCountry,
    facts.headquartersCountry,
    facts.ultimateParentCountry,
    facts.endUse,
    subject.entitled,
    subject.allowCountries,
    subject.denyCountries,
    subject.leastEvidence,
  ]);
}

/** The subject as the rules need it under one policy. */
export interface SubjectView {
  readonly known: readonly Country[];
  readonly unknown: readonly string[];
  readonly own: ReadonlySet<Country>;
  readonly endUse: string | undefined;
  readonly allow: ReadonlySet<Country> | undefined;
  readonly deny: ReadonlySet<Country>;
  /** An entry of the tenant's deny list that means nothing under this policy. */
  readonly unreadableDeny: string | undefined;
}

export function viewOf(subject: Subject, policy: Policy): SubjectView {
  const facts: TenantFacts = { ...subject.facts, audience: undefined };
  const deny = resolve(subject.denyCountries, policy);
  return {
    ...knownCountries(facts),
    own: tenantJurisdictions({ facts }, policy).countries,
    endUse: subject.facts.endUse,
    allow: subject.allowCountries && resolve(subject.allowCountries, policy).countries,
    deny: deny.countries,
    unreadableDeny: deny.unreadable,
  };
}

/** A tenant's own list. What it means is unknown where it names a group that the policy has not, or no country. */
function resolve(list: readonly string[], policy: Policy): { countries: ReadonlySet<Country>; unreadable: string | undefined } {
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
