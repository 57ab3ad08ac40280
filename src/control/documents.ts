import { isNear } from "../quota/outcome.ts";
import { utc } from "../tenant/periods.ts";
import type { LimitSetting } from "../tenant/limit-setting.ts";
import type { LimitState } from "../quota/store.ts";
import type { EvidenceGrade, Surface } from "../region/catalogue.ts";
import type { AuditEntry } from "../tenant/directory.ts";
import type { Owner, Ownership } from "../tenant/ownership.ts";
import type { ApiKey, DirectoryEntry, FactEvidence, LegalHold, OidcIssuer, TenantFacts, Verification } from "../tenant/tenant.ts";
import { keyState } from "./keys.ts";
import type { IssuedKey, KeyState } from "./keys.ts";
import type { Holds } from "./tenants.ts";

/**
 * What the operators' API shows. Each document is built field by field and never spread from what is stored, so that
 * a field added to the store, such as a digest, does not appear here by itself. `null` is unknown or not set.
 */
export interface TenantDocument {
  id: string;
  name: string;
  revision: number;
  createdAt: string;
  verification: VerificationDocument;
  legalHold: LegalHoldDocument | null;
  identifiers: string[];
  facts: { [Fact in keyof TenantFacts]: Exclude<TenantFacts[Fact], undefined> | null };
  factsEvidence: FactsEvidenceDocument;
  ownership: OwnershipDocument | null;
  tiers: string[];
  allowCountries: string[] | null;
  denyCountries: string[];
  leastEvidence: EvidenceGrade | null;
  timeZone: string;
  holds: Holds;
  oidc: OidcDocument | null;
}

export interface VerificationDocument {
  state: Verification["state"];
  since: string;
  evidence: string | null;
  expiresAt: string | null;
  by: string | null;
  reason: string | null;
}

export interface LegalHoldDocument {
  since: string;
  reason: string;
  by: string | null;
}

export type FactsEvidenceDocument = { [Fact in keyof TenantFacts]: FactEvidenceDocument | null };

export interface FactEvidenceDocument {
  reference: string;
  asOf: string;
  contradictions: { value: string; reference: string; asOf: string }[];
}

export interface OwnershipDocument {
  owners: { id: string; name: string; kind: Owner["kind"]; country: string | null; identifiers: string[] }[];
  holdings: { owner: string; of: string; basisPoints: number | null; evidence: string; asOf: string }[];
}

export interface OidcDocument {
  issuer: string;
  audience: string;
  jwks: { keys: Record<string, JwkMember>[] };
  claims: Record<string, string>;
}

export type JwkMember = string | string[] | boolean | number;

export interface KeyDocument {
  id: string;
  name: string;
  state: KeyState;
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
  models: string[] | null;
  surfaces: Surface[] | null;
}

/** The one document that carries a key, given once in answer to its issue. */
export interface IssuedKeyDocument extends KeyDocument {
  key: string;
}

export interface LimitDocument {
  name: string;
  unit: LimitSetting["unit"];
  window: LimitSetting["window"];
  ceiling: number;
  burst: number | null;
  key: string | null;
  model: string | null;
  tier: string | null;
  endUser: string | null;
  shadow: boolean;
  slices: boolean;
  onOutage: "refuse" | "allow-local";
}

export interface LimitUseDocument {
  name: string;
  unit: LimitSetting["unit"];
  window: LimitSetting["window"];
  /** The setting's name and what its counter is kept apart by. */
  counter: string;
  capacity: number;
  /** Below zero where the limit was lowered, overrun, or is in shadow mode. */
  remaining: number;
  resetMs: number;
  /** At least `nearPercent` is used or held. */
  near: boolean;
  shadow: boolean;
}

export interface AuditDocument {
  id: string;
  at: string;
  actor: string;
  action: string;
  tenantId: string;
  detail: Record<string, unknown>;
}

export function tenantDocument({ revision, tenant }: DirectoryEntry): TenantDocument {
  const { facts, factsEvidence } = tenant;
  return {
    id: tenant.id,
    name: tenant.name,
    revision,
    createdAt: tenant.createdAt,
    verification: verificationDocument(tenant.verification),
    legalHold: legalHoldDocument(tenant.legalHold),
    identifiers: [...(tenant.identifiers ?? [])],
    facts: {
      registeredCountry: facts.registeredCountry ?? null,
      headquartersCountry: facts.headquartersCountry ?? null,
      ultimateParentCountry: facts.ultimateParentCountry ?? null,
      endUse: facts.endUse ?? null,
      audience: facts.audience ?? null,
    },
    factsEvidence: {
      registeredCountry: factEvidenceDocument(factsEvidence?.registeredCountry),
      headquartersCountry: factEvidenceDocument(factsEvidence?.headquartersCountry),
      ultimateParentCountry: factEvidenceDocument(factsEvidence?.ultimateParentCountry),
      endUse: factEvidenceDocument(factsEvidence?.endUse),
      audience: factEvidenceDocument(factsEvidence?.audience),
    },
    ownership: tenant.ownership === undefined ? null : ownershipDocument(tenant.ownership),
    tiers: [...tenant.tiers],
    allowCountries: copied(tenant.allowCountries),
    denyCountries: [...tenant.denyCountries],
    leastEvidence: tenant.leastEvidence ?? null,
    timeZone: tenant.timeZone ?? utc,
    holds: tenant.holds ?? "worst_case",
    oidc: tenant.oidc === undefined ? null : oidcDocument(tenant.oidc),
  };
}

function verificationDocument({ state, since, evidence, expiresAt, by, reason }: Verification): VerificationDocument {
  const shown = { evidence: evidence ?? null, expiresAt: expiresAt ?? null };
  return { state, since, ...shown, by: by ?? null, reason: reason ?? null };
}

function legalHoldDocument(hold: LegalHold | undefined): LegalHoldDocument | null {
  return hold === undefined ? null : { since: hold.since, reason: hold.reason, by: hold.by ?? null };
}

function factEvidenceDocument(evidence: FactEvidence | undefined): FactEvidenceDocument | null {
  if (evidence === undefined) return null;
  const { reference, asOf, contradictions } = evidence;
  const others = (contradictions ?? []).map((other) => ({ value: other.value, reference: other.reference, asOf: other.asOf }));
  return { reference, asOf, contradictions: others };
}

function ownershipDocument({ owners, holdings }: Ownership): OwnershipDocument {
  return {
    owners: owners.map(({ id, name, kind, country, identifiers }) => ({
      id,
      name,
      kind,
      country: country ?? null,
      identifiers: [...identifiers],
    })),
    holdings: holdings.map(({ owner, of, basisPoints, evidence, asOf }) => ({
      owner,
      of,
      basisPoints: basisPoints ?? null,
      evidence,
      asOf,
    })),
  };
}

function oidcDocument({ issuer, audience, jwks, claims }: OidcIssuer): OidcDocument {
  return {
    issuer,
    audience,
    jwks: { keys: jwks.keys.map((key) => ({ ...key }) as Record<string, JwkMember>) },
    claims: { ...claims },
  };
}

export function keyDocument(key: ApiKey, now: string, lastUsedMs: number | undefined): KeyDocument {
  return {
    id: key.id,
    name: key.name,
    state: keyState(key, now),
    createdAt: key.createdAt,
    expiresAt: key.expiresAt ?? null,
    revokedAt: key.revokedAt ?? null,
    lastUsedAt: lastUsedMs === undefined ? null : new Date(lastUsedMs).toISOString(),
    models: copied(key.models),
    surfaces: copied(key.surfaces),
  };
}

export function issuedKeyDocument(issued: IssuedKey, now: string): IssuedKeyDocument {
  return { ...keyDocument(issued.key, now, undefined), key: issued.secret };
}

export function limitDocument(limit: LimitSetting): LimitDocument {
  const { name, unit, window, ceiling, burst, key, model, tier, endUser } = limit;
  const scope = { key: key ?? null, model: model ?? null, tier: tier ?? null, endUser: endUser ?? null };
  const mode = { shadow: limit.shadow === true, slices: limit.slices === true };
  return { name, unit, window, ceiling, burst: burst ?? null, ...scope, ...mode, onOutage: limit.onOutage ?? "refuse" };
}

export function limitUseDocument(state: LimitState): LimitUseDocument {
  const { limit, capacity, remaining, resetMs } = state;
  const { name, unit, window, shadow } = limit.setting;
  return {
    name,
    unit,
    window,
    counter: limit.counter,
    capacity,
    remaining,
    resetMs,
    near: isNear(state),
    shadow: shadow === true,
  };
}

export function auditDocument({ id, at, actor, action, tenantId, detail }: AuditEntry): AuditDocument {
  return { id, at, actor, action, tenantId, detail: { ...detail } };
}

function copied<Item>(list: readonly Item[] | undefined): Item[] | null {
  return list === undefined ? null : [...list];
}
