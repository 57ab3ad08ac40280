import type { Hashes } from "../hashes.ts";
import type { OpenDigestKey } from "./digest-key.ts";

/** A body's digest as receipts have it. */
export function digestBody(bytes: Uint8Array, { key }: Pick<OpenDigestKey, "key">, hashes: Pick<Hashes, "keyedDigest">): string {
  const digest = hashes.keyedDigest(key);
  digest.update(bytes);
  return showDigest(digest.hex());
}

/** The algorithm stands in front, so that another can follow one day. */
export function showDigest(hex: string): string {
  return `hmac-sha256:${hex}`;
}
