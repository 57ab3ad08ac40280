import { base64url } from "jose";
import type { Sha256 } from "../clock.ts";
import { bundleDigest } from "../region/policy-bundle.ts";
import type { PolicyKeys } from "./policy-keys.ts";
import { signedBytes } from "./sign-bundle.ts";
import type { SignedBundle } from "./signed-bundle.ts";

export type Verification = { readonly ok: true; readonly keyId: string } | { readonly ok: false; readonly reason: string };

/** Whether the bundle is the one that its digest names, and signed by a key that is trusted. Dates are another matter. */
export async function verifyBundle(signed: SignedBundle, keys: PolicyKeys, sha256: Sha256): Promise<Verification> {
  if (bundleDigest(signed.bundle, sha256) !== signed.digest)
    return { ok: false, reason: "its digest is not that of its content: it was changed after it was built" };
  if (signed.signatures.length === 0) return { ok: false, reason: "it is not signed" };
  const bytes = signedBytes(signed.bundle);
  let known = false;
  for (const { keyId, signature } of signed.signatures) {
    const key = keys.get(keyId);
    if (key === undefined) continue;
    known = true;
    if (await holds(key, signature, bytes)) return { ok: true, keyId };
  }
  return { ok: false, reason: known ? "its signature does not hold" : `no key that is trusted signed it (${named(signed)})` };
}

async function holds(key: CryptoKey, signature: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    const decoded = new Uint8Array(base64url.decode(signature));
    // Bits that base64url leaves unused must be as they are written, or a changed file would pass for the one that was signed.
    return base64url.encode(decoded) === signature && (await crypto.subtle.verify({ name: "Ed25519" }, key, decoded, bytes));
  } catch {
    return false;
  }
}

function named({ signatures }: SignedBundle): string {
  return signatures.map(({ keyId }) => keyId).join(", ");
}
