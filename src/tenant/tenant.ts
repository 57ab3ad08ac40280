import type { Country } from "../region/country.ts";
import type { EvidenceGrade, Surface } from "../region/catalogue.ts";
import type { DigestKey } from "./digest-key.ts";
import type { LimitSetting } from "./limit-setting.ts";
import type { Ownership } from "./ownership.ts";

/** Only `verified` is served. */
export type VerificationState = "applied" | "under_review" | "verified" | "suspended" | "closed";

export interface Verification {
  readonly state: VerificationState;
  /** RFC 3339. */
  readonly since: string;
  /** What shows it: a document's reference, never the document. */
  readonly evidence: string | undefined;
  /** RFC 3339: from here on the evidence no longer admits, and the tenant is refused until it is verified anew. */
  readonly expiresAt?: string | undefined;
  /** Who decided it, as the operator named them, and why; absent in steps of before each had to say. */
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}

/** What is known of the company. `undefined` is unknown, which refuses wherever a rule asks for it. */
export interface TenantFacts {
  readonly registeredCountry: Country | undefined;
  readonly headquartersCountry: Country | undefined;
  readonly ultimateParentCountry: Country | undefined;
  readonly endUse: string | undefined;
  readonly audience: "internal" | "public-facing" | undefined;
}

/** What shows a fact, and what speaks against it. */
export interface FactEvidence {
  /** A document's reference, never the document. */
  readonly reference: string;
  /** RFC 3339: as of when it shows the fact. */
  readonly asOf: string;
  /** Current documents that say otherwise: while there is one, the fact is conflicting. */
  readonly contradictions?: readonly Contradiction[] | undefined;
}

export interface Contradiction {
  readonly value: string;
  readonly reference: string;
  /** RFC 3339. */
  readonly asOf: string;
}

export type FactsEvidence = { readonly [Fact in keyof TenantFacts]?: FactEvidence | undefined };

export interface Tenant {
  /** `[a-z0-9_]{3,40}`; stands in the public prefix of its keys. */
  readonly id: string;
  readonly name: string;
  /** As lists and registers know it, such as `LEI:5493001KJTIIGC8Y1R12`. */
  readonly identifiers?: readonly string[] | undefined;
  readonly facts: TenantFacts;
  /** What shows each fact; a fact without it is undated, and stale wherever a rule asks for its age. */
  readonly factsEvidence?: FactsEvidence | undefined;
  /** Who owns it; `undefined`: unresolved, which refuses wherever a rule asks. */
  readonly ownership?: Ownership | undefined;
  readonly verification: Verification;
  /** Tiers of models that the tenant bought. */
  readonly tiers: readonly string[];
  /** Countries the tenant itself allows (`undefined`: any) and denies. */
  readonly allowCountries: readonly Country[] | undefined;
  readonly denyCountries: readonly Country[];
  /** The least grade of evidence that the tenant accepts; `undefined`: what the policy says. */
  readonly leastEvidence: EvidenceGrade | undefined;
  /** An OIDC issuer whose tokens act for the tenant. */
  readonly oidc: OidcIssuer | undefined;
  /** IANA name; where the days and months of its limits begin. `undefined` is UTC. */
  readonly timeZone?: string | undefined;
  /**
   * What a request holds of its limits until it is settled. `undefined`: all that it could use, so that use never passes a
   * limit. `learned`: what requests like it used, which refuses far less, and may pass a limit by what a few use more.
   */
  readonly holds?: "learned" | undefined;
  /** While it stands, no record of the tenant is deleted, whatever its age. */
  readonly legalHold?: LegalHold | undefined;
  /** Random, shown nowhere: what end users' names are hashed with, so that nobody finds a name by trying names. */
  readonly endUserSecret?: string | undefined;
  /** What its requests and answers are digested with in receipts, newest first; `undefined` until it is first needed. */
  readonly digestKeys?: readonly DigestKey[] | undefined;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface LegalHold {
  /** RFC 3339. */
  readonly since: string;
  readonly reason: string;
  /** Who asked for it, as the operator named them. */
  readonly by?: string | undefined;
}

export interface OidcIssuer {
  readonly issuer: string;
  readonly audience: string;
  /** The issuer's key set, cached as data: no network on a request's path. */
  readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  /** Claims that must have exactly these values. */
  readonly claims: Readonly<Record<string, string>>;
}

export interface ApiKey {
  /** Public; names the key in receipts, logs and the operators' API. */
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the whole key, lower-case hex. The key itself is stored nowhere. */
  readonly digest: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly expiresAt: string | undefined;
  readonly revokedAt: string | undefined;
  /** `undefined`: all that the tenant may use. */
  readonly models: readonly string[] | undefined;
  readonly surfaces: readonly Surface[] | undefined;
}

/** One tenant as the directory keeps it: one document, one revision, so that a change is seen whole or not at all. */
export interface DirectoryEntry {
  /** Grows by one with each change. */
  readonly revision: number;
  readonly tenant: Tenant;
  readonly keys: readonly ApiKey[];
  readonly limits: readonly LimitSetting[];
}
