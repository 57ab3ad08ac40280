import type { Country } from "../region/country.ts";

/**
 * `dispersed` stands for many holders none of whom must be named, as with the free float of a listed company: it counts
 * as resolved, and as neither listed nor located.
 */
export type OwnerKind = "company" | "person" | "state" | "dispersed";

/** Somebody who owns the tenant, or owns somebody who does. */
export interface Owner {
  /** Names it within this tenant's ownership alone. */
  readonly id: string;
  readonly name: string;
  readonly kind: OwnerKind;
  /** Where it is registered, or lives; `undefined` is unknown. */
  readonly country: Country | undefined;
  /** As in `Tenant.identifiers`. */
  readonly identifiers: readonly string[];
}

/** One holding. */
export interface Holding {
  /** An owner's id. */
  readonly owner: string;
  /** What it holds a share of: another owner's id, or `tenant`. */
  readonly of: string;
  /** Of 10,000; `undefined` where it is known that there is a holding and not how large. */
  readonly basisPoints: number | undefined;
  /** A document's reference. */
  readonly evidence: string;
  /** RFC 3339: as of when that document shows it. */
  readonly asOf: string;
}

/** Who owns the tenant, and who owns them, as far as it was resolved. What no holding tells of is unresolved. */
export interface Ownership {
  readonly owners: readonly Owner[];
  readonly holdings: readonly Holding[];
}

/** What a holding of the tenant itself names in `of`. */
export const tenantItself = "tenant";

/** All of a company, in basis points. */
export const wholeBasisPoints = 10_000;
