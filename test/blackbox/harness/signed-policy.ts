import { readFileSync } from "node:fs";
import { join } from "node:path";
import { makePrivateJwk, publicPart, type PrivateJwk } from "../../../src/bundle/policy-keys.ts";
import { signBundle } from "../../../src/bundle/sign-bundle.ts";
import { bundleDigest, makeBundle } from "../../../src/region/policy-bundle.ts";
import { sha256 } from "../../../src/runtime/node/clock.ts";
import { regionsDir } from "./catalogue.ts";

const key: PrivateJwk = await makePrivateJwk();
const otherKey: PrivateJwk = await makePrivateJwk();

/** What `STRAIT_POLICY_KEYS` is set to. */
export const policyKeys: string = JSON.stringify({ keys: [publicPart(key)] });

export interface SignedPolicy {
  readonly version: string;
  readonly digest: string;
  /** Of the bundle's file. */
  readonly text: string;
}

/** The shipped policy under another version and with `more` after it, signed by the key that is trusted, or by another one. */
export async function signedPolicy(
  version: string,
  fromMs: number,
  toMs?: number,
  isTrusted = true,
  more = "",
): Promise<SignedPolicy> {
  const shipped = readFileSync(join(regionsDir, "policy.toml"), "utf8");
  const text = shipped.replace(/^version = .*$/m, `version = "${version}"`) + more;
  const bundle = makeBundle(version, [{ name: "policy.toml", text }], { effectiveFromMs: fromMs, effectiveToMs: toMs });
  const digest = bundleDigest(bundle, sha256);
  const signed = await signBundle({ bundle, digest, signatures: [] }, isTrusted ? key : otherKey);
  return { version, digest, text: JSON.stringify(signed) };
}
