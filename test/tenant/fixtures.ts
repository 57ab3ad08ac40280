import { createHash } from "node:crypto";
import type { Entropy, Sha256 } from "../../src/clock.ts";
import type { AuthenticatePorts } from "../../src/tenant/authenticate.ts";
import { mintKey, type MintedKey } from "../../src/tenant/key.ts";
import type { ApiKey, DirectoryEntry, OidcIssuer, Tenant } from "../../src/tenant/tenant.ts";

export const sha256: Sha256 = (text) => createHash("sha256").update(text).digest();
export const entropy: Entropy = { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };
export const nowMs: number = Date.parse("2026-11-20T10:00:00Z");

export function tenant(more: Partial<Tenant> = {}): Tenant {
  return {
    id: "acme",
    name: "Acme",
    facts: {
      registeredCountry: "SG",
      headquartersCountry: "SG",
      ultimateParentCountry: "SG",
      endUse: undefined,
      audience: undefined,
    },
    verification: { state: "verified", since: "2026-01-01T00:00:00Z", evidence: undefined },
    tiers: [],
    allowCountries: undefined,
    denyCountries: [],
    leastEvidence: undefined,
    oidc: undefined,
    createdAt: "2026-01-01T00:00:00Z",
    ...more,
  };
}

export function keyOf(minted: MintedKey, more: Partial<ApiKey> = {}): ApiKey {
  const { id, digest } = minted;
  return {
    id,
    name: "test",
    digest,
    createdAt: "2026-01-01T00:00:00Z",
    expiresAt: undefined,
    revokedAt: undefined,
    models: undefined,
    surfaces: undefined,
    ...more,
  };
}

export function mint(tenantId = "acme"): MintedKey {
  return mintKey(tenantId, entropy, sha256);
}

export function entryOf(of: Tenant, ...keys: readonly ApiKey[]): DirectoryEntry {
  return { revision: 1, tenant: of, keys, limits: [] };
}

export interface TestPorts extends AuthenticatePorts {
  /** Tenant and key of every use that was reported. */
  readonly touched: string[];
  /** Every text that was digested. */
  readonly digested: string[];
  /** Every tenant that was looked up. */
  readonly found: string[];
}

/** A directory of these entries; it answers later where `later` is set. */
export function ports(entries: readonly DirectoryEntry[], later = false): TestPorts {
  const touched: string[] = [];
  const digested: string[] = [];
  const found: string[] = [];
  return {
    touched,
    digested,
    found,
    clock: { nowMs: () => nowMs },
    sha256: (text) => {
      digested.push(text);
      return sha256(text);
    },
    directory: {
      find: (tenantId) => {
        found.push(tenantId);
        const entry = entries.find((candidate) => candidate.tenant.id === tenantId);
        return later ? Promise.resolve(entry) : entry;
      },
      touchKey: (tenantId, keyId, atMs) => void touched.push(`${tenantId} ${keyId} ${atMs}`),
    },
  };
}

export function issuerOf(keys: readonly object[], more: Partial<OidcIssuer> = {}): OidcIssuer {
  return {
    issuer: "https://id.acme.test",
    audience: "strait",
    jwks: { keys: keys as OidcIssuer["jwks"]["keys"] },
    claims: {},
    ...more,
  };
}
