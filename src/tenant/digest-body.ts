import type { Sha256 } from "../clock.ts";
import type { Hashes, KeyedDigest } from "../hashes.ts";
import { digestKey } from "./digest-key.ts";
import type { Tenant } from "./tenant.ts";

interface DigestPorts {
  readonly hashes: Hashes;
  readonly sha256: Sha256;
}

/** A digest under the tenant's own key, for bytes that come in pieces; `undefined` for a tenant that has no key. */
export function beginDigest(tenant: Tenant, { hashes, sha256 }: DigestPorts): KeyedDigest | undefined {
  const key = digestKey(tenant, sha256);
  return key === undefined ? undefined : hashes.keyedDigest(key);
}

/** A body's digest as receipts have it. */
export function digestBody(bytes: Uint8Array, tenant: Tenant, ports: DigestPorts): string | undefined {
  const digest = beginDigest(tenant, ports);
  digest?.update(bytes);
  return showDigest(digest?.hex());
}

/** The algorithm stands in front, so that another can follow one day. */
export function showDigest(hex: string | undefined): string | undefined {
  return hex === undefined ? undefined : `hmac-sha256:${hex}`;
}
