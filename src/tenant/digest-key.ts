import type { Tenant } from "./tenant.ts";

/** A key for a tenant's receipts as the directory keeps it. */
export interface DigestKey {
  /** Public; receipts name the key by it. */
  readonly id: string;
  /** 32 bytes, sealed for `digestKeyPurpose`. */
  readonly sealed: string;
  /** RFC 3339: from when on it digests, … */
  readonly createdAt: string;
  /** … and until when. A key that was replaced stays known for as long as receipts name it. */
  readonly retiredAt?: string | undefined;
}

/** The same, opened. */
export interface OpenDigestKey {
  readonly id: string;
  readonly key: Uint8Array;
  readonly createdAt: string;
  readonly retiredAt: string | undefined;
}

/**
 * What a tenant's requests and answers are digested with in its receipts, so that nobody without the key can find a text by
 * trying texts, nor see that two tenants sent the same. A tenant that has none yet, from before there were any, gets one.
 */
export interface DigestKeys {
  /** The one that digests now. At once where this very tenant was asked for before, for it stands on every request's path. */
  current(tenant: Tenant): OpenDigestKey | Promise<OpenDigestKey>;
  /** Newest first. */
  all(tenant: Tenant): Promise<readonly OpenDigestKey[]>;
}

/** What a digest key is sealed for: neither another tenant nor another key can pass it off as its own. */
export function digestKeyPurpose(tenantId: string, keyId: string): string {
  return `digest key ${keyId} of tenant ${tenantId}`;
}
