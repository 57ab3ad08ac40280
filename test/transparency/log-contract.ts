import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hex } from "../../src/tenant/key.ts";
import { openCheckpoint, readCheckpoint } from "../../src/transparency/checkpoint.ts";
import type { LogStore } from "../../src/transparency/log-store.ts";
import { verifyReceiptProof } from "../../src/transparency/receipt-proof.ts";
import { readBase64 } from "../../src/base64.ts";
import { LogForked, UnknownSigner, type TransparencyLog } from "../../src/transparency/transparency-log.ts";
import { verifyConsistency } from "../../src/transparency/verify-proof.ts";
import { receipt } from "../stores/samples.ts";
import type { LogWorld } from "../stores/store-world.ts";
import { logOf, newKey, publicKeys, refusal } from "./log-fixture.ts";
import { hasher } from "./memory-tiles.ts";
import { naiveRoot } from "./naive-tree.ts";
import { sha256Bytes } from "./sha256.ts";

const key = await newKey();
const utf8 = new TextEncoder();

/** The world's tree, member by member. */
function storeOf({ tree }: LogWorld): LogStore {
  return {
    origin: () => tree.origin(),
    size: () => tree.size(),
    integrate: (most) => tree.integrate(most),
    tile: (level, index) => tree.tile(level, index),
    place: (tenantId, requestId) => tree.place(tenantId, requestId),
    entries: (from, count) => tree.entries(from, count),
    checkpoint: (size) => tree.checkpoint(size),
    keepCheckpoint: (checkpoint) => tree.keepCheckpoint(checkpoint),
  };
}

/** What every tree over a journal does. */
export function logContract(name: string, openWorld: () => LogWorld | Promise<LogWorld>): void {
  describe(`log: ${name}`, () => {
    let world: LogWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    async function documents(): Promise<(string | undefined)[]> {
      return (await world.tree.entries(0, 10_000)).map(({ document }) => document);
    }

    async function rootNow(): Promise<string | undefined> {
      const log = await logOf(world, key);
      const checkpoint = readCheckpoint((await log.advance()).note);
      return checkpoint === undefined ? undefined : hex(checkpoint.root);
    }

    it("begins empty, with a name of its own", async () => {
      expect(await world.tree.size()).toBe(0);
      expect(await world.tree.origin()).toMatch(/^strait\/[0-9a-z_./-]+$/);
      expect(await world.tree.checkpoint()).toBeUndefined();
      expect(await world.tree.entries(0, 10)).toEqual([]);
      expect(await world.tree.integrate(10)).toBe(0);
      expect(await rootNow()).toBe(hex(naiveRoot([])));
    });

    it("takes receipts and refusals in once, each as the canonical JSON that it hashes, and goes on after a restart", async () => {
      for (let index = 0; index < 7; index += 1) {
        await world.journal.append(receipt(`r${index}`));
        await world.refusals.append(refusal(`n${index}`));
        await world.refusals.append(refusal(`n${index}`, { status: 500 }));
        if (index === 3) await world.tree.integrate(5);
        if (index === 5) await world.restart();
      }
      while ((await world.tree.integrate(4)) > 0);
      const ids = (await documents()).map((text) => (JSON.parse(text ?? "") as { requestId: string }).requestId);
      expect(ids.toSorted()).toEqual(["n0", "n1", "n2", "n3", "n4", "n5", "n6", "r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
      const entries = (await documents()).map((text) => utf8.encode(text ?? ""));
      expect(await rootNow()).toBe(hex(naiveRoot(entries)));
    });

    it("proves each receipt to whoever has the public key, and knows which it cannot prove", async () => {
      const log = await logOf(world, key);
      for (let index = 0; index < 5; index += 1) await world.journal.append(receipt(`r${index}`));
      await world.refusals.append(refusal("no"));
      for (const id of ["r0", "r3", "no"]) {
        const proof = await log.prove("acme", id);
        const verdict = await verifyReceiptProof(JSON.stringify(proof), publicKeys(key), sha256Bytes);
        expect(verdict).toMatchObject({ ok: true, receipt: { requestId: id }, checkpoint: { size: 6 } });
      }
      expect(await log.prove("acme", "nobody")).toBe("absent");
      expect(await log.prove("other", "r0")).toBe("absent");
    });

    it("keeps an unsettled receipt as an entry of its own, which the one that replaces it names", async () => {
      const log = await logOf(world, key);
      await world.journal.append(receipt("a", { end: "unsettled" }));
      await world.journal.append(receipt("b"));
      await log.advance();
      const earlier = (await world.tree.entries(0, 1))[0]?.document ?? "";
      await world.journal.append(receipt("a", { end: "completed" }));
      await world.journal.append(receipt("a", { end: "upstream_failed" }));
      await log.advance();
      expect(await world.tree.size()).toBe(3);
      expect((await documents())[0]).toBe(earlier);
      expect(JSON.parse(earlier)).toMatchObject({ requestId: "a", end: "unsettled" });
      const corrects = hex(hasher.leafOfText(earlier));
      const proof = await log.prove("acme", "a");
      expect(proof).toMatchObject({ leafIndex: 2, receipt: { end: "completed", corrects } });
      expect(await verifyReceiptProof(JSON.stringify(proof), publicKeys(key), sha256Bytes)).toMatchObject({ ok: true });
    });

    it("takes both in where an unsettled receipt gave way before the tree had it", async () => {
      await world.journal.append(receipt("a", { end: "unsettled" }));
      await world.journal.append(receipt("b"));
      await world.journal.append(receipt("a", { end: "completed" }));
      await (await logOf(world, key)).advance();
      const ends = (await documents()).map((text) => (JSON.parse(text ?? "") as { end: string }).end);
      expect(ends.toSorted()).toEqual(["completed", "completed", "unsettled"]);
    });

    it("takes nothing twice and loses nothing where several integrate and append at once", async () => {
      const appends = Array.from({ length: 60 }, (_, index) => world.journal.append(receipt(`r${index}`)));
      const integrations = Array.from({ length: 12 }, () => world.tree.integrate(7));
      await Promise.all([...appends, ...integrations]);
      while ((await world.tree.integrate(7)) > 0);
      const ids = (await documents()).map((text) => (JSON.parse(text ?? "") as { requestId: string }).requestId);
      expect(ids.toSorted()).toEqual(Array.from({ length: 60 }, (_, index) => `r${index}`).toSorted());
      const entries = (await documents()).map((text) => utf8.encode(text ?? ""));
      expect(await rootNow()).toBe(hex(naiveRoot(entries)));
    });

    it("says of no record that it was dropped, in whatever order records are written, corrected and taken in", async () => {
      const step = fc.record({ id: fc.nat(4), write: fc.constantFrom("receipt", "unsettled", "refusal", "nothing") });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.uuid(), async (steps, name) => {
          for (const { id, write } of steps) {
            if (write === "receipt") await world.journal.append(receipt(`${name}-${id}`));
            if (write === "unsettled") await world.journal.append(receipt(`${name}-${id}`, { end: "unsettled" }));
            if (write === "refusal") await world.refusals.append(refusal(`${name}-no-${id}`));
            if (write === "nothing") await world.tree.integrate(id + 1);
          }
          while ((await world.tree.integrate(100)) > 0);
          const entries = await world.tree.entries(0, 10_000);
          expect(entries.filter(({ droppedBefore }) => droppedBefore !== undefined && droppedBefore !== 0)).toEqual([]);
        }),
        { numRuns: 20 },
      );
    });

    it("signs each size once, and every later tree is the earlier one grown", async () => {
      const log = await logOf(world, key);
      const notes: string[] = [];
      for (let round = 0; round < 4; round += 1) {
        for (let index = 0; index <= round; index += 1) await world.journal.append(receipt(`r${round}_${index}`));
        notes.push((await log.advance()).note);
        expect((await log.advance()).note).toBe(notes.at(-1));
      }
      const sizes: number[] = [];
      for (const note of notes) {
        const opened = await openCheckpoint(note, publicKeys(key), sha256Bytes);
        if (!opened.ok) throw new Error(opened.problem);
        sizes.push(opened.checkpoint.size);
        const proof = await log.consistency(opened.checkpoint.size);
        expect(proof?.earlier).toBe(note);
        const later = readCheckpoint(proof?.later ?? "");
        const path = (proof?.consistency ?? []).map((text) => readBase64(text) ?? new Uint8Array());
        expect(later !== undefined && verifyConsistency(opened.checkpoint, later, path, hasher)).toBe(true);
      }
      expect(sizes).toEqual([1, 3, 6, 10]);
      expect(await log.consistency(11)).toBeUndefined();
    });

    it("signs nothing that does not begin with what it signed, nor with what it finds signed by its key", async () => {
      let isChanged = false;
      const changed = async (level: number, index: number): Promise<Uint8Array> =>
        (await world.tree.tile(level, index)).map((byte) => (isChanged ? byte ^ 1 : byte));
      const tree: LogStore = { ...storeOf(world), tile: changed };
      const open = (): Promise<TransparencyLog> => logOf({ tree, nowMs: () => world.nowMs() }, key);
      const log = await open();
      for (const id of ["a", "b"]) await world.journal.append(receipt(id));
      const kept = await log.advance();
      await world.journal.append(receipt("c"));
      isChanged = true;
      await expect(log.advance()).rejects.toThrow(LogForked);
      await expect((await open()).advance()).rejects.toThrow(LogForked);
      expect(await world.tree.checkpoint()).toEqual(kept);
      isChanged = false;
      expect((await log.advance()).size).toBe(3);
    });

    it("signs nothing after a checkpoint of a key that it does not have, until it is given its public part", async () => {
      await world.journal.append(receipt("a"));
      const kept = await (await logOf(world, key)).advance();
      await world.journal.append(receipt("b"));
      const another = await newKey();
      await expect((await logOf(world, another)).advance()).rejects.toThrow(UnknownSigner);
      expect(await world.tree.checkpoint()).toEqual(kept);
      const { d: _, ...publicPart } = key;
      expect((await (await logOf(world, another, publicPart)).advance()).size).toBe(2);
    });

    it("signs nothing more of a log that was set back or given another name", async () => {
      let [size, origin] = [0, await world.tree.origin()];
      const tree: LogStore = { ...storeOf(world), size: async () => size, origin: async () => origin };
      const log = await logOf({ tree, nowMs: () => world.nowMs() }, key);
      for (const id of ["a", "b", "c"]) await world.journal.append(receipt(id));
      while ((await world.tree.integrate(10)) > 0);
      size = 3;
      await log.advance();
      size = 2;
      await expect(log.advance()).rejects.toThrow(LogForked);
      [size, origin] = [4, "strait/another"];
      await world.journal.append(receipt("d"));
      await expect(log.advance()).rejects.toThrow(LogForked);
    });

    it("writes and finds again whatever text an upstream says of itself", { timeout: 20_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: "binary" }), fc.uuid(), async (servedModel, requestId) => {
          const evidence = { region: undefined, inferenceGeo: undefined, servedModel, upstreamRequestId: "\ud800" };
          await world.journal.append(receipt(requestId, { evidence }));
          const log = await logOf(world, key);
          const verdict = await verifyReceiptProof(
            JSON.stringify(await log.prove("acme", requestId)),
            publicKeys(key),
            sha256Bytes,
          );
          expect(verdict.ok).toBe(true);
        }),
        { numRuns: 20 },
      );
    });
  });
}
