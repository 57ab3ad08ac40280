import { describe, expect, it } from "vitest";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { digestBody } from "../../src/tenant/digest-body.ts";
import { digestKeySet, readDigestKeySet } from "../../src/tenant/digest-key-set.ts";
import { verifyDigest } from "../../src/transparency/verify-digest.ts";

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const body = new TextEncoder().encode("what was sent");
const keys = new Map([
  ["dk_2", key(2)],
  ["dk_1", key(1)],
]);
const requestDigest = digestBody(body, { key: key(1) }, hashes);

describe("a body beside its receipt's digest", () => {
  it("is the one under the key that the receipt names, and under no other", () => {
    expect(verifyDigest({ digestKeyId: "dk_1", requestDigest }, "request", body, keys, hashes)).toEqual({ ok: true });
    expect(verifyDigest({ digestKeyId: "dk_2", requestDigest }, "request", body, keys, hashes).ok).toBe(false);
    expect(verifyDigest({ digestKeyId: "dk_3", requestDigest }, "request", body, keys, hashes).ok).toBe(false);
    expect(verifyDigest({ digestKeyId: "dk_1", requestDigest }, "answer", body, keys, hashes).ok).toBe(false);
  });

  it("may be under any of the tenant's keys where the receipt is from before they had ids", () => {
    expect(verifyDigest({ requestDigest }, "request", body, keys, hashes)).toEqual({ ok: true });
    expect(verifyDigest({ requestDigest }, "request", body, new Map(), hashes).ok).toBe(false);
  });

  it("is not it once a single bit is another", () => {
    for (let bit = 0; bit < body.length * 8; bit += 1) {
      const spoiled = Uint8Array.from(body, (byte, index) => (index === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(verifyDigest({ digestKeyId: "dk_1", requestDigest }, "request", spoiled, keys, hashes).ok).toBe(false);
    }
  });
});

describe("a tenant's digest keys", () => {
  it("are read again from the set in which they are given", () => {
    const open = [...keys].map(([id, bytes]) => ({ id, key: bytes, createdAt: "2026-01-01T00:00:00Z", retiredAt: undefined }));
    expect(readDigestKeySet(JSON.stringify(digestKeySet(open)))).toEqual(keys);
  });

  it.each(["", "{}", '{"keys":[]}', '{"keys":[{"kty":"oct","alg":"HS256","kid":"a","k":"AAAA"}]}', '{"keys":[{"kty":"OKP"}]}'])(
    "are not read from what is none: %s",
    (text) => {
      expect(readDigestKeySet(text)).toBeUndefined();
    },
  );
});
