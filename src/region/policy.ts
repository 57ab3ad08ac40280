import type { Country } from "./country.ts";
import type { EvidenceGrade } from "./catalogue.ts";
import type { EffectiveDates } from "./policy-bundle.ts";
import type { Invariant } from "./invariant.ts";
import type { PolicyList } from "./policy-list.ts";

/** What the upstream can run by itself, with input that the gateway does not see; `other` is a tool that nobody here knows. */
export type HostedTool = "web_search" | "web_fetch" | "code_execution" | "file_search" | "mcp" | "other";

export const hostedTools: readonly HostedTool[] = ["web_search", "web_fetch", "code_execution", "file_search", "mcp", "other"];

/** What the tenant said of whom it serves with the models. */
export type Audience = "internal" | "public-facing";

/** What a rule does with a request that it matches. */
export type Ruling =
  | { readonly decision: "deny" }
  /** Refused as well, with a code that says that somebody is looking at it. */
  | { readonly decision: "review" }
  /** Served by a lesser model, … */
  | { readonly decision: "degrade"; readonly toModel: string }
  /** … or by the same one with its log probabilities left out. */
  | { readonly decision: "degrade"; readonly without: "log_probabilities" }
  /** Lifts other rules, within `precedence.ts`. */
  | { readonly decision: "allow" };

/** A stretch of time, the start in it and the end not. Milliseconds since the epoch. */
export interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Which requests a rule looks at, and when. All that is given must hold; what is left out does not narrow. */
export interface RuleScope {
  /** Unique in the policy; named in refusals, spans and receipts. */
  readonly id: string;
  /** One sentence for the person who is refused. */
  readonly because: string;
  /** The author's own codes for it, such as the article of a regulation; the rule's id where there are none. */
  readonly reasonCodes: readonly string[];
  /** Milliseconds since the epoch; in force from here … */
  readonly effectiveFromMs: number | undefined;
  /** … until just before here … */
  readonly effectiveToMs: number | undefined;
  /** … but not meanwhile. */
  readonly suspensions: readonly Stretch[];
  readonly makers: ReadonlySet<string> | undefined;
  readonly tiers: ReadonlySet<string> | undefined;
  readonly models: ReadonlySet<string> | undefined;
  /** Only tenants registered, led or ultimately owned in one of these. */
  readonly tenantsIn: ReadonlySet<Country> | undefined;
  readonly audience: Audience | undefined;
  /** Facts that the rule asks for must be shown by evidence no older than this; without it no date is asked for. */
  readonly factsNoOlderThanMs: number | undefined;
  /** The lists that it reads, by name: while one of them is too old, it refuses whom it is for. */
  readonly lists: readonly string[];
  /** Those of them that say for which tenants it is. */
  readonly tenantLists: readonly string[];
  readonly ruling: Ruling;
}

/** How large a share of a company makes its holders count: in hundredths of a percent, all listed holders together. */
export interface ShareOperator {
  readonly compare: "at_least" | "more_than";
  readonly basisPoints: number;
}

/**
 * Every rule but an exemption only ever refuses or lessens: with such a rule more, a permit can only become smaller. An
 * exemption takes named rules away again; which it can take is in `src/policy/precedence.ts`. Without a rule about hosted
 * tools, or about log probabilities, what a request asks for of them is refused: such a rule says what is not.
 */
export type Rule = RuleScope &
  (
    | { readonly kind: "weights_location"; readonly neverIn: ReadonlySet<Country> }
    | { readonly kind: "own_jurisdiction" }
    | { readonly kind: "tenant_countries"; readonly allow: ReadonlySet<Country> | undefined; readonly deny: ReadonlySet<Country> }
    | {
        readonly kind: "ownership";
        readonly ownersIn: ReadonlySet<Country>;
        /** Lists of parties. */
        readonly ownersOn: readonly string[];
        /** Without it the tenant's own three countries are looked at, and no owner. */
        readonly share: ShareOperator | undefined;
      }
    | { readonly kind: "tier" }
    | {
        readonly kind: "withdrawal";
        /** Tenants that are registered, led and owned in these alone keep the models. */
        readonly openTo: ReadonlySet<Country> | undefined;
      }
    | { readonly kind: "end_use"; readonly denied: readonly string[]; readonly allowed: readonly string[] | undefined }
    | {
        readonly kind: "nationality";
        readonly denied: ReadonlySet<Country>;
        readonly allowed: ReadonlySet<Country> | undefined;
      }
    | { readonly kind: "hosted_tools"; readonly allowed: ReadonlySet<HostedTool> }
    | { readonly kind: "log_probabilities"; readonly onlyWithLogitBias: boolean }
    | { readonly kind: "evidence"; readonly least: EvidenceGrade }
    | {
        readonly kind: "exemption";
        /** Lists of parties: the tenant itself must stand on one of them. */
        readonly partiesOn: readonly string[];
        /** Ids of the rules that it lifts. */
        readonly lifts: ReadonlySet<string>;
      }
  );

export type RecordKind = "receipts" | "refusals" | "audit" | "key_use" | "usage";

export const recordKinds: readonly RecordKind[] = ["receipts", "refusals", "audit", "key_use", "usage"];

/** How long records are kept, and which. Of several classes that a record falls under the longest holds; under none it is kept for ever. */
export interface RetentionClass {
  readonly months: number;
  /** Without any, the class is only written down: nothing is deleted by it. */
  readonly records: ReadonlySet<RecordKind>;
  /** Of receipts alone: only those of models of these tiers and makers. */
  readonly tiers: ReadonlySet<string> | undefined;
  readonly makers: ReadonlySet<string> | undefined;
}

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
  /** Snapshots of lists that others publish, by name. */
  readonly lists: ReadonlyMap<string, PolicyList>;
  readonly rules: readonly Rule[];
  /** What `strait policy check` tries to break. */
  readonly invariants: readonly Invariant[];
  /** Retention classes by name, for whoever deletes records. */
  readonly retention: ReadonlyMap<string, RetentionClass>;
  /** The instants at which the policy or a rule begins, pauses or ends, or a list begins to count or grows too old, in order: between two of them only a tenant's own dates change a decision. */
  readonly boundariesMs: readonly number[];
}
