import { createHmac } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashes } from "../../src/runtime/node/hashes.ts";

describe("a keyed digest", () => {
  it("is HMAC-SHA-256 of all pieces one behind the other, however large they are, and of digests beside it", () => {
    const piece = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 900, maxLength: 1_200 }));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.array(fc.array(piece), { maxLength: 3 }), (key, texts) => {
        const digests = texts.map(() => hashes.keyedDigest(key));
        for (const [index, text] of texts.entries()) for (const bytes of text) digests[index]?.update(Uint8Array.from(bytes));
        const expected = texts.map((text) => createHmac("sha256", key).update(Buffer.concat(text)).digest("hex"));
        expect(digests.map((digest) => digest.hex())).toEqual(expected);
      }),
    );
  });

  it("keeps nothing of a piece that its owner writes over", () => {
    const [key, piece] = [new Uint8Array(32), new Uint8Array(8)];
    const digest = hashes.keyedDigest(key);
    for (const value of [1, 2, 3]) digest.update(piece.fill(value));
    const expected = createHmac("sha256", key).update(
      Uint8Array.of(...[1, 2, 3].flatMap((value) => Array<number>(8).fill(value))),
    );
    expect(digest.hex()).toBe(expected.digest("hex"));
  });
});
