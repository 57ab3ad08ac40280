import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestMatches, hex, mintKey, parseKey } from "../../src/tenant/key.ts";
import { entropy, mint, sha256 } from "./fixtures.ts";

const tenantId = fc.stringMatching(/^[a-z0-9_]{3,40}$/);

describe("minting", () => {
  test("a key reads sk-strait-tenant-id-secret, with 256 bits of secret, and its digest is of the whole", () => {
    fc.assert(
      fc.property(tenantId, fc.uint8Array({ minLength: 40, maxLength: 40 }), (tenant, random) => {
        let at = 0;
        const minted = mintKey(tenant, { bytes: (count) => random.subarray(at, (at += count)) }, sha256);
        expect(minted.key).toBe(`sk-strait-${tenant}-${minted.id}-${Buffer.from(random.subarray(8)).toString("base64url")}`);
        expect(minted.id).toMatch(/^[a-z0-9]{8}$/);
        expect(minted.digest).toBe(hex(sha256(minted.key)));
        expect(parseKey(minted.key)).toEqual({ tenantId: tenant, keyId: minted.id });
        expect(at).toBe(40);
      }),
    );
  });

  test("no two keys are alike", () => {
    const keys = Array.from({ length: 500 }, () => mint());
    expect(new Set(keys.map(({ key }) => key)).size).toBe(500);
    expect(new Set(keys.map(({ id }) => id)).size).toBe(500);
  });

  test.each(["", "ab", "A".repeat(5), "a-b", "a b", "x".repeat(41)])(
    "no key is made for %j, which could not be read back",
    (tenant) => {
      expect(() => mintKey(tenant, entropy, sha256)).toThrow(TypeError);
    },
  );
});

describe("parsing", () => {
  const good = mint().key;

  test.each([
    ["nothing", ""],
    ["another vendor's key", "sk-proj-abcdefghijklmnop"],
    ["one letter less", good.slice(0, -1)],
    ["one letter more", `${good}A`],
    ["a line end behind it", `${good}\n`],
    ["a blank before it", ` ${good}`],
    ["upper case", good.toUpperCase()],
    ["another prefix", good.replace("strait", "strayt")],
    ["a tenant that is too short", good.replace("acme", "ac")],
    ["a tenant that is too long", good.replace("acme", "a".repeat(41))],
    ["two keys", `${good},${good}`],
    ["padding", `${good.slice(0, -1)}=`],
  ])("%s is no key", (_what, text) => {
    expect(parseKey(text)).toBeUndefined();
  });

  test("no text makes the parser throw or take long, and what it takes it took from the public part", () => {
    const pieces = fc.constantFrom(
      "sk-strait-",
      "-",
      "acme",
      "abcd2345",
      "A".repeat(43),
      "a".repeat(100_000),
      "\u0000",
      "漢",
      "_",
      good,
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 6 }), (parts) => {
        const text = parts.join("");
        const parsed = parseKey(text);
        expect(parsed === undefined || text.startsWith(`sk-strait-${parsed.tenantId}-${parsed.keyId}-`)).toBe(true);
      }),
    );
  });
});

describe("comparing digests", () => {
  const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });

  test("a digest matches its own hex and no other's", () => {
    fc.assert(
      fc.property(digest, digest, (one, other) => {
        expect(digestMatches(one, hex(one))).toBe(true);
        expect(hex(one)).toBe(Buffer.from(one).toString("hex"));
        expect(digestMatches(one, hex(other))).toBe(hex(one) === hex(other));
      }),
    );
  });

  test("any single changed bit of any byte is seen", () => {
    const one = sha256("x");
    for (let bit = 0; bit < 256; bit++) {
      const changed = Uint8Array.from(one);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(digestMatches(changed, hex(one))).toBe(false);
    }
  });

  test("a stored digest that is cut, longer, empty, upper case or no hex matches nothing", () => {
    const one = sha256("x");
    const stored = hex(one);
    for (const wrong of [
      "",
      stored.slice(0, -1),
      stored.slice(0, -2),
      `${stored}00`,
      `${stored}\u0000`,
      stored.toUpperCase(),
      "\u0000".repeat(64),
      stored.replace(/./, "漢"),
    ]) {
      expect(digestMatches(one, wrong)).toBe(false);
    }
    expect(digestMatches(new Uint8Array(0), "")).toBe(false);
  });
});
