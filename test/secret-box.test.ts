import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64Url } from "../src/base64.ts";
import { systemEntropy } from "../src/runtime/node/clock.ts";
import { createSecretBox, readSecretKeys, SecretUnusable } from "../src/secret-box.ts";

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });

describe("a sealed secret", () => {
  it("opens again for what it was sealed, under whichever key it was", async () => {
    await fc.assert(
      fc.asyncProperty(bytes, fc.string(), async (secret, purpose) => {
        for (const keys of [[], [key(1)], [key(2), key(1)]]) {
          const box = createSecretBox(keys, systemEntropy);
          expect(await box.open(await box.seal(secret, purpose), purpose)).toEqual(secret);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("opens after the key was replaced for as long as the old one is given, and not after", async () => {
    const secret = systemEntropy.bytes(32);
    const sealed = await createSecretBox([key(1)], systemEntropy).seal(secret, "a");
    expect(await createSecretBox([key(2), key(1)], systemEntropy).open(sealed, "a")).toEqual(new Uint8Array(secret));
    for (const keys of [[], [key(2)]])
      await expect(createSecretBox(keys, systemEntropy).open(sealed, "a")).rejects.toThrow(SecretUnusable);
  });

  it("shows nothing of the secret, nor twice the same text", async () => {
    const secret = systemEntropy.bytes(32);
    const box = createSecretBox([key(1)], systemEntropy);
    const sealed = await box.seal(secret, "a");
    expect(sealed).not.toContain(base64Url(secret).slice(0, 10));
    expect(await box.seal(secret, "a")).not.toBe(sealed);
  });

  it("is no other's: under another purpose, or with any byte changed, it does not open, and the error shows nothing of it", async () => {
    const box = createSecretBox([key(1)], systemEntropy);
    const sealed = await box.seal(systemEntropy.bytes(32), "digest key a of tenant b");
    await expect(box.open(sealed, "digest key a of tenant c")).rejects.toThrow(SecretUnusable);
    for (let index = 0; index < sealed.length; index += 1) {
      const spoiled = `${sealed.slice(0, index)}${sealed[index] === "A" ? "B" : "A"}${sealed.slice(index + 1)}`;
      const error: unknown = await box.open(spoiled, "digest key a of tenant b").catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(SecretUnusable);
      expect(String(error)).not.toContain(sealed.split(".").at(-1)?.slice(0, 8));
    }
  });

  it("is kept as it is where no key was given, and still opens once there is one", async () => {
    const secret = systemEntropy.bytes(32);
    const sealed = await createSecretBox([], systemEntropy).seal(secret, "a");
    expect(sealed).toBe(`plain.${base64Url(secret)}`);
    expect(await createSecretBox([key(1)], systemEntropy).open(sealed, "a")).toEqual(new Uint8Array(secret));
  });
});

describe("the setting with the keys", () => {
  it.each([
    ["", []],
    [base64Url(key(1)), [key(1)]],
    [`${base64Url(key(2))}, ${base64Url(key(1))}`, [key(2), key(1)]],
  ])("is read: %j", (text, keys) => {
    expect(readSecretKeys(text)).toEqual({ ok: true, keys });
  });

  it.each(["short", base64Url(key(1)).slice(1), `${base64Url(key(1))},`, "!".repeat(43)])(
    "is refused without being repeated: %j",
    (text) => {
      const read = readSecretKeys(text);
      expect(read.ok).toBe(false);
      expect(JSON.stringify(read)).not.toContain(text);
    },
  );
});
