import type { Country } from "./country.ts";
import type { EvidenceGrade } from "./catalogue.ts";
import type { EffectiveDates } from "./policy-bundle.ts";

/** Which requests a rule looks at, and when. All that is given must hold; what is left out does not narrow. */
export interface RuleScope {
  /** Unique in the policy; named in refusals, spans and receipts. */
  readonly id: string;
  /** One sentence for the person who is refused. */
  readonly because: string;
  /** Milliseconds since the epoch; in force from here … */
  readonly effectiveFromMs: number | undefined;
  /** … until just before here. */
  readonly effectiveToMs: number | undefined;
  readonly makers: ReadonlySet<string> | undefined;
  readonly tiers: ReadonlySet<string> | undefined;
  readonly models: ReadonlySet<string> | undefined;
  /** Only tenants registered, led or ultimately owned in one of these. */
  readonly tenantsIn: ReadonlySet<Country> | undefined;
}

/** Every rule only ever refuses: with a rule more, a permit can only become smaller. */
export type Rule = RuleScope &
  (
    | { readonly kind: "weights_location"; readonly neverIn: ReadonlySet<Country> }
    | { readonly kind: "own_jurisdiction" }
    | { readonly kind: "tenant_countries"; readonly allow: ReadonlySet<Country> | undefined; readonly deny: ReadonlySet<Country> }
    | { readonly kind: "ownership"; readonly ownersIn: ReadonlySet<Country> }
    | { readonly kind: "tier" }
    | { readonly kind: "end_use"; readonly denied: readonly string[]; readonly allowed: readonly string[] | undefined }
    | { readonly kind: "evidence"; readonly least: EvidenceGrade }
  );

/** `regions/policy.toml` as read: groups resolved, dates in milliseconds, frozen. `src/policy/` decides by it. */
export interface Policy extends EffectiveDates {
  readonly version: string;
  /** Of the bundle that it stands in, see `bundleDigest`: two policies of one digest are the same. */
  readonly digest: string;
  /** By name, without the `group:` that stands before it where a list of countries names it. */
  readonly groups: ReadonlyMap<string, ReadonlySet<Country>>;
  /** From a country to all that count as one jurisdiction with it; a country that is not here stands alone. */
  readonly jurisdictions: ReadonlyMap<Country, ReadonlySet<Country>>;
  /** The countries whose companies are served from offshore. */
  readonly home: ReadonlySet<Country>;
  readonly rules: readonly Rule[];
  /** The instants at which a rule or the policy itself begins or ends, in order: between two of them a decision cannot change. */
  readonly boundariesMs: readonly number[];
}
