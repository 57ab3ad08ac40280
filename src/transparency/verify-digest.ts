import type { Hashes } from "../hashes.ts";
import { digestBody } from "../tenant/digest-body.ts";

/** The two bodies of which a receipt has a digest. */
export const digestedBodies = ["request", "answer"] as const;

export type DigestedBody = (typeof digestedBodies)[number];

export type DigestVerdict = { readonly ok: true } | { readonly ok: false; readonly problem: string };

/**
 * Whether `bytes` are what a receipt's digest was made of. `keys` are the tenant's, by id; a receipt from before keys had
 * ids may be of any of them.
 */
export function verifyDigest(
  receipt: Readonly<Record<string, unknown>>,
  body: DigestedBody,
  bytes: Uint8Array,
  keys: ReadonlyMap<string, Uint8Array>,
  hashes: Pick<Hashes, "keyedDigest">,
): DigestVerdict {
  const digest = receipt[`${body}Digest`];
  const keyId = receipt["digestKeyId"];
  if (typeof digest !== "string") return { ok: false, problem: `the receipt has no digest of the ${body}` };
  const candidates = typeof keyId === "string" ? [keys.get(keyId)] : [...keys.values()];
  const known = candidates.filter((key) => key !== undefined);
  if (known.length === 0) return { ok: false, problem: `the receipt's digest key ${String(keyId)} is not among those given` };
  if (known.some((key) => digestBody(bytes, { key }, hashes) === digest)) return { ok: true };
  return { ok: false, problem: `these bytes are not the ${body} that the receipt is of` };
}
