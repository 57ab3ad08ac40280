import type { Tenant } from "../../src/tenant/tenant.ts";
import { tenantCountry } from "../proxies/strait-regions.ts";

const asOf = "2026-11-01T00:00:00Z";
const founders = ["SG", "JP", "US", "DE", "FR", "CH", "SE", "KR", "AU", "CA"];
/** What the tenant may keep its requests from, beside where its deployments are. */
const denied = ["BR", "AR", "CL", "PE", "MX", "IN", "TH", "VN", "PH", "ID", "ZA", "EG", "MA", "KE", "NG", "GH"];

interface Differences {
  /** Countries of its own choice, others than nearly every other tenant's. */
  readonly ownLists?: boolean;
  /** Nobody knows who owns it. */
  readonly isUnresolved?: boolean;
}

/** A verified tenant with all that rules ask for; like no other in name, end use and the dates of its evidence. */
export function tenantNumber(number: number, tier: string, { ownLists = false, isUnresolved = false }: Differences = {}): Tenant {
  const evidence = { reference: "register", asOf: new Date(Date.parse(asOf) + number * 1_000).toISOString() };
  const { asOf: seen } = evidence;
  return {
    id: `tenant_${number}`,
    name: `Tenant ${number}`,
    facts: {
      registeredCountry: tenantCountry,
      headquartersCountry: tenantCountry,
      ultimateParentCountry: tenantCountry,
      endUse: `software for line ${number}`,
      audience: "internal",
    },
    factsEvidence: {
      registeredCountry: evidence,
      headquartersCountry: evidence,
      ultimateParentCountry: evidence,
      endUse: evidence,
    },
    ownership: isUnresolved
      ? undefined
      : {
          owners: [
            { id: "parent", name: `Parent ${number}`, kind: "company", country: tenantCountry, identifiers: [] },
            { id: "founder", name: `Founder ${number}`, kind: "person", country: founders[number % 10], identifiers: [] },
          ],
          holdings: [
            { owner: "parent", of: "tenant", basisPoints: 10_000, evidence: "register", asOf: seen },
            { owner: "founder", of: "parent", basisPoints: 10_000, evidence: "register", asOf: seen },
          ],
        },
    verification: { state: "verified", since: asOf, evidence: "register" },
    tiers: [tier],
    allowCountries: undefined,
    denyCountries: ownLists ? denied.filter((_, index) => ((number + 1) >> index) % 2 === 1) : [],
    leastEvidence: undefined,
    oidc: undefined,
    createdAt: asOf,
  };
}
