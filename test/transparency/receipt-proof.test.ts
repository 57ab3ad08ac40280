import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { openCheckpoint } from "../../src/transparency/checkpoint.ts";
import { publishedKeys, readLogKeys, readPublicKeys } from "../../src/transparency/log-keys.ts";
import { verifyReceiptProof, type ReceiptProof } from "../../src/transparency/receipt-proof.ts";
import { receipt } from "../stores/samples.ts";
import { sqliteWorld } from "../stores/sqlite-world.ts";
import type { LogWorld } from "../stores/store-world.ts";
import { logKeys, logOf, newKey, publicKeys, type Jwk } from "./log-fixture.ts";

const { sha256Bytes } = hashes;

describe("a receipt's proof", () => {
  let world: LogWorld;
  beforeEach(() => {
    world = sqliteWorld(1);
  });
  afterEach(() => world.close());

  async function prove(...keys: readonly Jwk[]): Promise<ReceiptProof> {
    for (let index = 0; index < 6; index += 1) await world.journal.append(receipt(`r${index}`));
    const proof = await (await logOf(world, ...keys)).prove("acme", "r2");
    if (typeof proof === "string") throw new Error(proof);
    return proof;
  }

  it("survives a file written with other blanks, or its members in another order", async () => {
    const key = await newKey();
    const proof = await prove(key);
    const turned = { ...proof, receipt: Object.fromEntries(Object.entries(proof.receipt).toReversed()) };
    expect(await verifyReceiptProof(`${JSON.stringify(turned, undefined, 4)}\n`, publicKeys(key), sha256Bytes)).toMatchObject({
      ok: true,
      leafIndex: 2,
    });
  });

  it("is worth nothing under another key, or with a member that says more", async () => {
    const key = await newKey();
    const proof = await prove(key);
    const verdict = await verifyReceiptProof(JSON.stringify(proof), publicKeys(await newKey()), sha256Bytes);
    expect(verdict).toEqual({ ok: false, problem: "none of the keys signed the checkpoint" });
    expect((await verifyReceiptProof(JSON.stringify({ ...proof, note: "paid" }), publicKeys(key), sha256Bytes)).ok).toBe(false);
  });

  it("means one thing: a member that stands twice, or under a name of the language's own, breaks it", async () => {
    const key = await newKey();
    const keys = publicKeys(key);
    const file = JSON.stringify(await prove(key));
    const holds = async (text: string): Promise<boolean> => (await verifyReceiptProof(text, keys, sha256Bytes)).ok;
    expect(await holds(file)).toBe(true);
    const starts = [...file.matchAll(/\{/g)].map(({ index }) => index + 1);
    expect(starts.length).toBeGreaterThan(2);
    for (const start of starts) {
      const [, name = ""] = /"([^"]+)"/.exec(file.slice(start)) ?? [];
      for (const added of [`"${name}":"said first",`, `"__proto__":{"end":"completed"},`, `"__proto__":null,`])
        expect([added, await holds(`${file.slice(0, start)}${added}${file.slice(start)}`)]).toEqual([added, false]);
    }
  });

  it("throws at no text, whatever it is", async () => {
    const keys = publicKeys(await newKey());
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        expect((await verifyReceiptProof(text, keys, sha256Bytes)).ok).toBe(false);
      }),
    );
  });
});

describe("the log's keys", () => {
  const begins = "2026-01-01T00:00:00Z";
  const rotated = "2026-06-01T00:00:00Z";

  async function note(world: LogWorld, ...keys: readonly Jwk[]): Promise<string> {
    await world.journal.append(receipt("a"));
    return (await (await logOf(world, ...keys)).advance()).note;
  }

  it("are rotated: what the old one signed in its time still counts, and after it nothing does", async () => {
    // Every world begins in March 2026.
    const old = await newKey({ validFrom: begins, validUntil: rotated });
    const young = await newKey({ validFrom: rotated });
    const world = sqliteWorld(1);
    const signed = await note(world, old, young);
    const opened = await openCheckpoint(signed, publicKeys(young, old), sha256Bytes);
    expect(opened).toMatchObject({ ok: true, kid: publicKeys(old)[0]?.kid });
    const retired = { ...old, validUntil: "2026-02-01T00:00:00Z" };
    expect(await openCheckpoint(signed, publicKeys(young, retired), sha256Bytes)).toMatchObject({
      ok: false,
      problem: expect.stringContaining("was not valid"),
    });
    await world.close();
  });

  it("sign with the newest that is valid, and with none where none is", async () => {
    const keys = await logKeys(
      await newKey({ validFrom: begins, validUntil: rotated }),
      await newKey({ validFrom: rotated }),
      await newKey(),
    );
    const kids = publishedKeys(keys).keys.map(({ kid }) => kid);
    expect(keys.signerAt(Date.parse("2026-03-01"))?.kid).toBe(kids[0]);
    expect(keys.signerAt(Date.parse("2026-07-01"))?.kid).toBe(kids[1]);
    expect(keys.signerAt(Date.parse("2025-07-01"))?.kid).toBe(kids[2]);
    const world = sqliteWorld(1);
    await expect(note(world, await newKey({ validFrom: rotated }))).rejects.toThrow("No key of the log is valid now");
    await world.close();
  });

  it("are published without what signs, in a form that is read again", async () => {
    const keys = await logKeys(await newKey({ validFrom: begins, validUntil: rotated }), await newKey());
    const text = JSON.stringify(publishedKeys(keys));
    expect(text).not.toContain('"d"');
    expect(readPublicKeys(text, sha256Bytes)).toEqual({ ok: true, keys: keys.keys });
  });

  it("are refused with the reason where they are none", async () => {
    const key = await newKey();
    const problem = async (text: string): Promise<string> => {
      const read = await readLogKeys(text, sha256Bytes);
      return read.ok ? "" : read.problem;
    };
    expect(await problem("{")).toContain("it is not JSON");
    expect(await problem(JSON.stringify({ keys: [] }))).toContain("Ed25519");
    expect(await problem(JSON.stringify({ ...key, kty: "RSA" }))).toContain("Ed25519");
    expect(await problem(JSON.stringify({ ...key, d: undefined }))).toContain("private part");
    expect(await problem(JSON.stringify({ ...key, x: (await newKey())["x"] }))).toContain("not the private part");
  });
});
