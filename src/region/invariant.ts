import type { EvidenceGrade } from "./catalogue.ts";
import type { Country } from "./country.ts";
import type { Audience } from "./policy.ts";

/**
 * What must hold whatever the rules say: of no tenant that it is about may a request be served as it forbids. Decides
 * nothing; `strait policy check` looks for a tenant, a model and a deployment that break it.
 */
export interface Invariant {
  /** Unique in the policy. */
  readonly id: string;
  /** Why, in one sentence. */
  readonly because: string;
  /** Only tenants registered, led or ultimately owned in one of these. */
  readonly tenantsIn: ReadonlySet<Country> | undefined;
  /** Only tenants wholly owned by a company of one of these. */
  readonly ownersIn: ReadonlySet<Country> | undefined;
  /** Only tenants whose declared end use has one of these words. */
  readonly endUses: readonly string[] | undefined;
  readonly audience: Audience | undefined;
  /** Only models of these. */
  readonly makers: ReadonlySet<string> | undefined;
  readonly tiers: ReadonlySet<string> | undefined;
  readonly models: ReadonlySet<string> | undefined;
  /** No deployment that may process in one of these. */
  readonly neverIn: ReadonlySet<Country> | undefined;
  /** No deployment that may process in the tenant's own jurisdiction. */
  readonly neverInOwnJurisdiction: boolean;
  /** No deployment with less evidence than this. */
  readonly leastEvidence: EvidenceGrade | undefined;
  /** No deployment at all. */
  readonly neverServed: boolean;
}
