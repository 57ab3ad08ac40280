import { base64url } from "jose";
import { canonicalJson } from "../canonical-json.ts";
import type { PolicyBundle } from "../region/policy-bundle.ts";
import { keyIdOf, type PrivateJwk } from "./policy-keys.ts";
import type { BundleSignature, SignedBundle } from "./signed-bundle.ts";

/** The same bundle with this key's signature beside those that it has; a second one of the same key replaces the first. */
export async function signBundle(signed: SignedBundle, jwk: PrivateJwk): Promise<SignedBundle> {
  const { kty, crv, x, d } = jwk;
  const key = await crypto.subtle.importKey("jwk", { kty, crv, x, d }, { name: "Ed25519" }, false, ["sign"]);
  const bytes = await crypto.subtle.sign({ name: "Ed25519" }, key, signedBytes(signed.bundle));
  const signature: BundleSignature = { keyId: await keyIdOf(jwk), signature: base64url.encode(new Uint8Array(bytes)) };
  const others = signed.signatures.filter(({ keyId }) => keyId !== signature.keyId);
  return { ...signed, signatures: [...others, signature] };
}

/** What a signature is over. The bundle's `format` stands in it, so that it is a signature of nothing else. */
export function signedBytes(bundle: PolicyBundle): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(canonicalJson(bundle)));
}
