import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  longestAdmissionMs,
  positionOf,
  quarterMs,
  readCursor,
  showCursor,
  TooManyGroups,
} from "../../src/ledger/journal-reader.ts";
import type { Position, ScanQuery, UsageQuery } from "../../src/ledger/journal-reader.ts";
import type { Receipt, RefusalReceipt } from "../../src/ledger/receipt.ts";
import { refusal } from "../transparency/log-fixture.ts";
import { batch, question, step } from "./drawn-receipts.ts";
import { naiveUsage, sameUsage } from "./naive-usage.ts";
import { amounts, limit, receipt, reservation } from "./samples.ts";
import { worldBeginsMs, type ReaderWorld } from "./store-world.ts";

const hourMs = 3_600_000;
const all = { tenantId: undefined, fromMs: 0, toMs: 10 ** 13, after: undefined };

/** As the gateway makes them: the time leads. */
export function requestIdAt(timeMs: number, number: number): string {
  return `req_${timeMs.toString(16).padStart(12, "0")}${number.toString(16).padStart(20, "0")}`;
}

interface ReaderOptions {
  /** How many worlds of receipts are drawn, the fewer the further away the store is. */
  readonly runs?: number;
  /** Whether refusals are told across tenants. */
  readonly refusalsOfAll?: boolean;
}

/** What every reading side of a journal does. Imports nothing of a runtime. */
export function journalReaderContract(
  name: string,
  openWorld: () => ReaderWorld | Promise<ReaderWorld>,
  { runs = 40, refusalsOfAll = true }: ReaderOptions = {},
): void {
  describe(`journal reader: ${name}`, () => {
    let world: ReaderWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    async function write(receipts: readonly Receipt[]): Promise<void> {
      await Promise.all(receipts.map((one) => world.journal.append(one)));
    }

    async function read(query: Partial<Parameters<typeof world.reader.scan>[0]>, count: number): Promise<Receipt[]> {
      const read: Receipt[] = [];
      let after: Position | undefined = query.after;
      for (;;) {
        const page = await world.reader.scan({ ...all, ...query, after, count });
        read.push(...page);
        const last = page.at(-1);
        if (last === undefined || page.length < count) return read;
        // Through the text that clients keep.
        after = readCursor(showCursor(positionOf(last)));
        expect(after).toEqual(positionOf(last));
      }
    }

    async function readRefusals(query: Partial<ScanQuery>, count: number): Promise<RefusalReceipt[]> {
      const read: RefusalReceipt[] = [];
      let after = query.after;
      for (;;) {
        const page = (await world.reader.scanRefusals({ ...all, ...query, after, count })) ?? [];
        read.push(...page);
        const last = page.at(-1);
        if (last === undefined || page.length < count) return read;
        after = readCursor(showCursor(positionOf(last)));
      }
    }

    const names = (receipts: readonly Receipt[]): string[] =>
      receipts.map(({ tenantId, requestId }) => `${tenantId}/${requestId}`);

    it("gives receipts by beginning, then id, then tenant, all of each, whatever order they were written in and however pages are cut", async () => {
      await write([
        receipt("r2", { startedAtMs: 5 }),
        receipt("r9", {
          startedAtMs: 4,
          attempts: [],
          evidence: { region: "X", inferenceGeo: "us", servedModel: "m", upstreamRequestId: "up" },
        }),
        receipt("r1", { startedAtMs: 6, tenantId: "other" }),
        receipt("r1", { startedAtMs: 5 }),
        receipt("r1", { startedAtMs: 5, tenantId: "aaa" }),
      ]);
      const inOrder = ["acme/r9", "aaa/r1", "acme/r1", "acme/r2", "other/r1"];
      for (const count of [1, 2, 3, 5, 6]) expect(names(await read({}, count))).toEqual(inOrder);
      for (const count of [1, 2, 3, 4])
        expect(names(await read({ tenantId: "acme" }, count))).toEqual(["acme/r9", "acme/r1", "acme/r2"]);
      const [first] = await read({}, 10);
      expect(first).toEqual(await world.journal.find("acme", "r9"));
    });

    it("gives a period with its first millisecond and without its last, also where a cursor stands before it", async () => {
      await write([4, 5, 6, 7].map((startedAtMs) => receipt(`r${startedAtMs}`, { startedAtMs })));
      for (const tenantId of [undefined, "acme"]) {
        expect(names(await read({ tenantId, fromMs: 5, toMs: 7 }, 10))).toEqual(["acme/r5", "acme/r6"]);
        const after = { startedAtMs: 3, requestId: "zzz", tenantId: "zzz" };
        expect(names(await read({ tenantId, fromMs: 5, toMs: 7, after }, 1))).toEqual(["acme/r5", "acme/r6"]);
        expect(await read({ tenantId, after: { startedAtMs: 7, requestId: "r7", tenantId: "acme" } }, 10)).toEqual([]);
      }
    });

    it("shows a receipt once, as it is now, after one that was unsettled gave way", async () => {
      await write([receipt("r1", { startedAtMs: 5, end: "unsettled", chargedTokens: 100 }), receipt("r2", { startedAtMs: 6 })]);
      expect(await read({}, 10)).toHaveLength(2);
      await write([receipt("r1", { startedAtMs: 5, chargedTokens: 7 })]);
      const again = await read({}, 10);
      expect(again.map(({ requestId, chargedTokens }) => [requestId, chargedTokens])).toEqual([
        ["r1", 7],
        ["r2", 10],
      ]);
    });

    it("gives refusals by their ids, then by tenant, in a period, from a cursor on and however pages are cut", async () => {
      const at = (ms: number, number: number, tenantId = "acme"): RefusalReceipt =>
        refusal(requestIdAt(ms, number), { tenantId, startedAtMs: ms });
      const ofAcme = [at(4, 9), at(5, 1), at(5, 2), at(6, 0)];
      const inOrder = [at(4, 9), at(5, 1, "aaa"), at(5, 1), at(5, 1, "other"), at(5, 2), at(6, 0), at(7, 3, "other")];
      for (const one of inOrder.toReversed()) await world.refusals.append(one);
      for (const count of [1, 2, 3, 10]) {
        expect(await readRefusals({ tenantId: "acme" }, count)).toEqual(ofAcme);
        if (refusalsOfAll) expect(await readRefusals({}, count)).toEqual(inOrder);
      }
      for (const tenantId of refusalsOfAll ? [undefined, "acme"] : ["acme"]) {
        const expected = (tenantId === undefined ? inOrder : ofAcme).filter(
          (one) => one.startedAtMs === 5 || one.startedAtMs === 6,
        );
        expect(await readRefusals({ tenantId, fromMs: 5, toMs: 7 }, 2)).toEqual(expected);
        const before = { startedAtMs: 3, requestId: requestIdAt(3, 0), tenantId: "zzz" };
        expect(await readRefusals({ tenantId, fromMs: 5, toMs: 7, after: before }, 2)).toEqual(expected);
        expect(await readRefusals({ tenantId, after: positionOf(at(7, 3, "other")) }, 2)).toEqual([]);
      }
      expect(await world.reader.scanRefusals({ ...all, tenantId: "nobody", count: 10 })).toEqual([]);
      if (!refusalsOfAll) expect(await world.reader.scanRefusals({ ...all, count: 10 })).toBeUndefined();
      expect(await world.reader.scan({ ...all, count: 10 })).toEqual([]);
    });

    it("sums receipts by each dimension, and keeps unknown counts, refusals and unsettled ones apart", async () => {
      const usage = {
        inputTokens: 10,
        cachedInputTokens: 4,
        cacheWriteTokens: 0,
        outputTokens: undefined,
        reasoningTokens: undefined,
      };
      await write([
        receipt("r1", { startedAtMs: 1, usage, region: "sg", chargedTokens: 12, costMicroUsd: 3 }),
        receipt("r2", {
          startedAtMs: 2,
          usage,
          region: undefined,
          status: 502,
          end: "upstream_failed",
          chargedTokens: 0,
          costMicroUsd: 0,
        }),
        receipt("r3", {
          startedAtMs: 3,
          usage,
          region: undefined,
          status: undefined,
          end: "unsettled",
          chargedTokens: 100,
          costMicroUsd: 9,
        }),
      ]);
      const query: UsageQuery = {
        tenantId: undefined,
        fromMs: 0,
        toMs: quarterMs,
        by: ["region", "end"],
        timeZone: "UTC",
        most: 10,
      };
      const tokens = { inputTokens: 10, cachedInputTokens: 4, cacheWriteTokens: 0, outputTokens: 0, reasoningTokens: 0 };
      const unknown = { inputTokens: 0, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 1, reasoningTokens: 1 };
      sameUsage(await world.reader.usage(query), [
        {
          group: { region: "sg", end: "completed" },
          sums: { requests: 1, refused: 0, unsettled: 0, tokens, unknown, chargedTokens: 12, costMicroUsd: 3 },
        },
        {
          group: { region: undefined, end: "upstream_failed" },
          sums: { requests: 1, refused: 1, unsettled: 0, tokens, unknown, chargedTokens: 0, costMicroUsd: 0 },
        },
        {
          group: { region: undefined, end: "unsettled" },
          sums: { requests: 1, refused: 0, unsettled: 1, tokens, unknown, chargedTokens: 100, costMicroUsd: 9 },
        },
      ]);
      expect(await world.reader.usage({ ...query, fromMs: quarterMs, toMs: 2 * quarterMs })).toEqual([]);
    });

    it("refuses to give more groups than were asked for", async () => {
      await write([1, 2, 3].map((number) => receipt(`r${number}`, { keyId: `k${number}` })));
      const query: UsageQuery = { tenantId: "acme", fromMs: 0, toMs: quarterMs, by: ["key"], timeZone: "UTC", most: 2 };
      await expect(world.reader.usage(query)).rejects.toThrow(TooManyGroups);
      expect(await world.reader.usage({ ...query, most: 3 })).toHaveLength(3);
    });

    it("sums exactly what the receipts say, for any grouping, period and time zone, whatever was written since it was last asked", async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), question, async (batches, asked) => {
          const [mine, other] = [`mine_${++run}`, `other_${run}`];
          const known = new Map<string, Receipt>();
          for (const batch of batches) {
            const receipts = batch.map((drawn) =>
              receipt(`r${drawn.number}`, { ...drawn.receipt, tenantId: drawn.isMine ? mine : other }),
            );
            await write(receipts);
            for (const one of receipts) {
              const before = known.get(names([one]).join());
              if (before === undefined || (before.end === "unsettled" && one.end !== "unsettled"))
                known.set(names([one]).join(), one);
            }
            // Reading across tenants is what brings reading indexes up to date, where a store has such.
            if (batch.length % 2 === 0) await world.reader.scan({ ...all, count: 1 });
            if (batch.length % 3 === 0) await world.sumUp();
            const query = { ...asked, tenantId: mine, most: 10_000 };
            sameUsage(
              await world.reader.usage(query),
              naiveUsage(
                [...known.values()].filter(({ tenantId }) => tenantId === mine),
                query,
              ),
            );
          }
          const everyone = await world.reader.usage({
            ...asked,
            tenantId: undefined,
            by: ["tenant", ...asked.by],
            most: 100_000,
          });
          const ours = everyone.filter(({ group }) => group.tenant === mine || group.tenant === other);
          sameUsage(
            ours,
            naiveUsage([...known.values()], { ...asked, tenantId: undefined, by: ["tenant", ...asked.by], most: 0 }),
          );
        }),
        { numRuns: runs },
      );
    }, 30_000);

    describe("up to where the journal is complete", () => {
      const tokensADay = limit("daily", "tokens", "day", 1_000_000);

      it("stands before every request in flight, of whichever tenant, and moves on when they are recorded", async () => {
        const begunMs = worldBeginsMs - hourMs;
        expect(await world.reader.completeUntilMs()).toBe(worldBeginsMs - longestAdmissionMs);
        const [id, other] = [requestIdAt(begunMs, 1), requestIdAt(begunMs + 5, 2)];
        await world.quota.reserve(reservation(id, [tokensADay], amounts(10), { leaseMs: 2 * hourMs }));
        await world.quota.reserve(reservation(other, [tokensADay], amounts(10), { tenantId: "other", leaseMs: 2 * hourMs }));
        expect(await world.reader.completeUntilMs()).toBe(begunMs);
        await world.books.close(receipt(id, { startedAtMs: begunMs }), { id, tenantId: "acme", charge: amounts(1) });
        expect(await world.reader.completeUntilMs()).toBe(begunMs + 5);
        await world.advance(hourMs);
        expect(await world.reader.completeUntilMs()).toBe(begunMs + 5);
      });

      it("waits for a request whose gateway died until its unsettled receipt is written, and no longer", async () => {
        const begunMs = worldBeginsMs - hourMs;
        const id = requestIdAt(begunMs, 1);
        await world.quota.reserve(reservation(id, [tokensADay], amounts(10), { leaseMs: 1_000 }));
        await world.advance(1_000);
        await world.quota.expire(10);
        expect(await world.reader.completeUntilMs()).toBe(begunMs);
        await world.journal.append(receipt(id, { startedAtMs: begunMs, end: "unsettled" }));
        await world.quota.recorded("acme", [id]);
        expect(await world.reader.completeUntilMs()).toBe(worldBeginsMs + 1_000 - longestAdmissionMs);
      });

      it("lets whoever reads up to it again and again see every receipt once, however requests begin and end meanwhile", async () => {
        let run = 0;
        await fc.assert(
          fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
            const tenantId = `t_${++run}`;
            const open: string[] = [];
            const written = new Set<string>();
            const seen: string[] = [];
            let after: Position | undefined;
            const readOn = async (): Promise<void> => {
              const toMs = await world.reader.completeUntilMs();
              const receipts = (await read({ after, toMs }, 3)).filter((one) => one.tenantId === tenantId);
              seen.push(...receipts.map(({ requestId }) => requestId));
              const last = receipts.at(-1);
              if (last !== undefined) after = positionOf(last);
            };
            const end = async (id: string): Promise<void> => {
              written.add(id);
              const startedAtMs = Number.parseInt(id.slice(4, 16), 16);
              await world.books.close(receipt(id, { tenantId, startedAtMs }), { id, tenantId, charge: amounts(1) });
            };
            for (const { kind, number, byMs } of steps) {
              if (kind === "begin") {
                const id = requestIdAt(world.nowMs() - (byMs % longestAdmissionMs), open.length + written.size + run * 1_000);
                open.push(id);
                await world.quota.reserve(reservation(id, [tokensADay], amounts(1), { tenantId, leaseMs: 1_000 * hourMs }));
              } else if (kind === "end") {
                const [id] = open.splice(number % Math.max(1, open.length), 1);
                if (id !== undefined) await end(id);
              } else if (kind === "wait") await world.advance(byMs);
              else await readOn();
            }
            for (const id of open.splice(0)) await end(id);
            await world.advance(longestAdmissionMs + 1);
            await readOn();
            expect([...seen].sort()).toEqual([...written].sort());
          }),
          { numRuns: Math.ceil(runs / 2) },
        );
      }, 30_000);
    });

    it("tells what is held and not yet in the journal, of one tenant", async () => {
      const tokensADay = limit("daily", "tokens", "day", 1_000_000);
      const intent = JSON.stringify(receipt("r1", { keyId: "k7", model: "m7", startedAtMs: 77, end: "unsettled" }));
      await world.quota.reserve(reservation("r1", [tokensADay], amounts(10, 5), { intent }));
      await world.quota.reserve(reservation("r2", [tokensADay], amounts(20), { tenantId: "other", intent }));
      expect(await world.reservations.open("acme")).toEqual([
        { requestId: "r1", keyId: "k7", model: "m7", startedAtMs: 77, tokens: 10, microUsd: 5 },
      ]);
      await world.books.close(receipt("r1"), { id: "r1", tenantId: "acme", charge: amounts(1) });
      expect(await world.reservations.open("acme")).toEqual([]);
    });
  });
}
