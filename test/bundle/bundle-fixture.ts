import { makePrivateJwk, publicPart, readPolicyKeys, type PolicyKeys, type PrivateJwk } from "../../src/bundle/policy-keys.ts";
import { signBundle } from "../../src/bundle/sign-bundle.ts";
import type { SignedBundle } from "../../src/bundle/signed-bundle.ts";
import { bundleDigest, makeBundle } from "../../src/region/policy-bundle.ts";
import { policyText, sha256 } from "../region/regions-fixture.ts";

export const key: PrivateJwk = await makePrivateJwk();
export const otherKey: PrivateJwk = await makePrivateJwk();

export async function keysOf(...jwks: readonly PrivateJwk[]): Promise<PolicyKeys> {
  const read = await readPolicyKeys(JSON.stringify({ keys: jwks.map(publicPart) }));
  if (!read.ok) throw new Error(read.problem);
  return read.keys;
}

export interface BundleParts {
  readonly from?: number;
  readonly to?: number;
  readonly policy?: string;
}

export function builtBundle(version: string, { from, to, policy = policyText }: BundleParts = {}): SignedBundle {
  const text = policy.replace(/^version = .*$/m, `version = "${version}"`);
  const bundle = makeBundle(version, [{ name: "policy.toml", text }], { effectiveFromMs: from, effectiveToMs: to });
  return { bundle, digest: bundleDigest(bundle, sha256), signatures: [] };
}

/** The text of a bundle's file. */
export async function bundleText(version: string, parts: BundleParts = {}, by: PrivateJwk = key): Promise<string> {
  return JSON.stringify(await signBundle(builtBundle(version, parts), by));
}
