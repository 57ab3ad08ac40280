import { describe, expect, it } from "vitest";
import { keyIdOf, publicPart, readPolicyKeys } from "../../src/bundle/policy-keys.ts";
import { signBundle } from "../../src/bundle/sign-bundle.ts";
import { parseBundle, type SignedBundle } from "../../src/bundle/signed-bundle.ts";
import { verifyBundle, type Verification } from "../../src/bundle/verify-bundle.ts";
import { bundleDigest } from "../../src/region/policy-bundle.ts";
import { sha256 } from "../region/regions-fixture.ts";
import { builtBundle, bundleText, key, keysOf, otherKey } from "./bundle-fixture.ts";

const keys = await keysOf(key);
const verify = (signed: SignedBundle): Promise<Verification> => verifyBundle(signed, keys, sha256);

describe("a bundle's signature", () => {
  it("holds for the key that made it, by its thumbprint, and among signatures of others", async () => {
    const signed = await signBundle(await signBundle(builtBundle("1"), otherKey), key);
    expect(await verify(signed)).toEqual({ ok: true, keyId: await keyIdOf(key) });
    expect(signed.digest).toBe(builtBundle("1").digest);
    expect(signed.signatures).toHaveLength(2);
  });

  it("is replaced when the same key signs again", async () => {
    const once = await signBundle(builtBundle("1"), key);
    expect(await signBundle(once, key)).toEqual(once);
  });

  it("does not hold where there is none, of another key, or under another key's name", async () => {
    const other = await signBundle(builtBundle("1"), otherKey);
    const borrowed = { ...other, signatures: other.signatures.map((each) => ({ ...each, keyId: [...keys.keys()][0] ?? "" })) };
    expect(await verify(builtBundle("1"))).toMatchObject({ ok: false, reason: "it is not signed" });
    expect(await verify(other)).toMatchObject({ ok: false, reason: expect.stringContaining("no key that is trusted") as string });
    expect(await verify(borrowed)).toMatchObject({ ok: false, reason: "its signature does not hold" });
  });

  it("does not hold for another content, also where its digest was made to fit", async () => {
    const signed = await signBundle(builtBundle("1"), key);
    for (const bundle of [
      { ...signed.bundle, version: "2" },
      { ...signed.bundle, effectiveTo: "2030-01-01T00:00:00.000Z" },
      { ...signed.bundle, files: [{ name: "policy.toml", text: "" }] },
    ]) {
      expect(await verify({ ...signed, bundle })).toMatchObject({
        ok: false,
        reason: expect.stringContaining("digest") as string,
      });
      const fitted = { ...signed, bundle, digest: bundleDigest(bundle, sha256) };
      expect(await verify(fitted)).toMatchObject({ ok: false, reason: "its signature does not hold" });
    }
  });

  it("does not hold after any byte of the file was changed, or the file says so itself", async () => {
    const text = await bundleText("1");
    for (let index = 0; index < text.length; index++) {
      const changed = text.slice(0, index) + String.fromCharCode(text.charCodeAt(index) ^ 1) + text.slice(index + 1);
      const parsed = parseBundle(changed);
      const holds = parsed.ok && (await verify(parsed.signed)).ok;
      expect([changed, holds]).toEqual([changed, false]);
    }
  });
});

describe("the keys that are trusted", () => {
  it("are a set, or one by itself", async () => {
    expect([...(await keysOf(key, otherKey)).keys()]).toEqual([await keyIdOf(key), await keyIdOf(otherKey)]);
    expect(await readPolicyKeys(JSON.stringify(publicPart(key)))).toMatchObject({ ok: true });
  });

  it("are refused where one is private, of another kind, or none at all", async () => {
    for (const set of [
      { keys: [key] },
      { keys: [] },
      { keys: [{ ...publicPart(key), crv: "X25519" }] },
      { keys: [publicPart(key), { ...publicPart(key), x: "short" }] },
      [],
      "text",
    ])
      expect(await readPolicyKeys(JSON.stringify(set))).toMatchObject({ ok: false });
    expect(await readPolicyKeys("no JSON")).toMatchObject({ ok: false });
  });
});
