import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Amounts, AppliedLimit } from "../../src/quota/limit.ts";
import { noIntent, type ReserveOutcome } from "../../src/quota/store.ts";
import { amounts, limit, reservation } from "./samples.ts";
import type { OpenStoreWorld, StoreWorld } from "./store-world.ts";

const requestsAMinute = limit("requests", "requests", "minute", 60);
const requestsADay = limit("requests-daily", "requests", "day", 100);
const tokensAMinute = limit("tokens", "tokens", "minute", 600, 1_000);
const tokensADay = limit("daily", "tokens", "day", 1_000);
const concurrent = limit("concurrent", "concurrent", "open", 10);
const all = [requestsAMinute, requestsADay, tokensAMinute, tokensADay, concurrent];

/** So many requests, as many of them at once, and so many tokens. */
function many(requests: number, tokens: number, atOnce = requests): Amounts {
  return { ...amounts(tokens), requests, concurrent: atOnce };
}

/** What every quota store does with slices: reservations for many requests, settled in parts. */
export function sliceContract(name: string, openWorld: OpenStoreWorld): void {
  describe(`slices of limits: ${name}`, () => {
    let world: StoreWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    const slice = (id: string, limits: readonly AppliedLimit[], hold: Amounts): Promise<ReserveOutcome> =>
      world.quota.reserve(reservation(id, limits, hold, { slice: true, intent: noIntent, leaseMs: 10_000 }));
    const settle = (id: string, charge: Amounts): Promise<boolean> => world.quota.settle({ id, tenantId: "acme", charge });
    const settlePart = (id: string, charge: Amounts, restId: string, hold: Amounts): Promise<boolean> =>
      world.quota.settle({ id, tenantId: "acme", charge, rest: { id: restId, hold, leaseMs: 10_000 } });
    const remaining = async (limits: readonly AppliedLimit[] = all): Promise<number[]> =>
      (await world.quota.inspect("acme", limits)).map((state) => state.remaining);

    it("hold many requests and slots, and give back what was not used", async () => {
      expect((await slice("s", all, many(20, 400, 5))).admitted).toBe(true);
      expect(await remaining()).toEqual([40, 80, 600, 600, 5]);
      expect(await settle("s", many(3, 50))).toBe(true);
      expect(await remaining()).toEqual([57, 97, 950, 950, 10]);
    });

    it("are refused as a whole where one limit has not enough left", async () => {
      const outcome = await slice("s", all, many(20, 400, 11));
      expect(outcome).toMatchObject({ admitted: false, binding: { limit: { counter: "concurrent" } } });
      expect(await remaining()).toEqual([60, 100, 1_000, 1_000, 10]);
    });

    it("do not leak out of a bucket while they are held", async () => {
      await slice("s", [requestsAMinute], many(20, 0));
      await world.advance(9_000);
      expect(await remaining([requestsAMinute])).toEqual([40]);
      await settle("s", many(20, 0));
      expect(await remaining([requestsAMinute])).toEqual([40]);
      await world.advance(9_000);
      expect(await remaining([requestsAMinute])).toEqual([49]);
    });

    it("are settled in parts, of which the rest is held on under an id of its own", async () => {
      await slice("s", all, many(20, 400, 5));
      expect(await settlePart("s", many(6, 50), "t", many(0, 100, 2))).toBe(true);
      expect(await remaining()).toEqual([54, 94, 850, 850, 8]);
      expect(await settlePart("t", many(0, 30), "u", many(0, 60, 1))).toBe(true);
      expect(await remaining()).toEqual([54, 94, 860, 860, 9]);
      expect(await settle("u", many(0, 10))).toBe(true);
      expect(await remaining()).toEqual([54, 94, 910, 910, 10]);
    });

    it("take a part once, however often it is told", async () => {
      await slice("s", all, many(20, 400, 5));
      const told = await Promise.all([1, 2, 3].map(() => settlePart("s", many(6, 50), "t", many(0, 100, 2))));
      expect(told.filter((took) => took)).toHaveLength(1);
      expect(await remaining()).toEqual([54, 94, 850, 850, 8]);
    });

    it("keep their rest over a restart", async () => {
      await slice("s", all, many(20, 400, 5));
      await settlePart("s", many(6, 50), "t", many(0, 100, 2));
      await world.restart();
      expect(await settle("t", many(0, 20))).toBe(true);
      expect(await remaining()).toEqual([54, 94, 930, 930, 10]);
    });

    it("whose lease runs out are charged whole, and their slots come back", async () => {
      await slice("s", all, many(20, 400, 5));
      await world.advance(10_000);
      expect(await world.quota.expire(10)).toMatchObject([{ id: "s", intent: noIntent }]);
      expect(await remaining()).toEqual([40, 80, 600, 600, 10]);
      await world.quota.recorded("acme", ["s"]);
      expect(await world.quota.expire(10)).toEqual([]);
    });

    it("whose rest's lease runs out are charged that rest, which a renewal puts off", async () => {
      await slice("s", all, many(20, 400, 5));
      await settlePart("s", many(6, 50), "t", many(0, 100, 2));
      await world.advance(9_000);
      await world.quota.renew("acme", ["t"], 10_000);
      await world.advance(9_000);
      expect(await world.quota.expire(10)).toEqual([]);
      await world.advance(1_000);
      expect(await world.quota.expire(10)).toMatchObject([{ id: "t", intent: noIntent }]);
      expect(await remaining([tokensADay, concurrent])).toEqual([850, 10]);
    });

    it("are charged what is left of them as well when a part is told too late", async () => {
      await slice("s", all, many(20, 400, 5));
      await world.advance(10_000);
      await world.quota.expire(10);
      await settlePart("s", many(6, 50), "t", many(0, 100, 2));
      expect(await remaining([requestsADay, tokensADay, concurrent])).toEqual([94, 850, 10]);
      expect(await settle("t", many(0, 0))).toBe(false);
    });

    it("of a day that is over leave the new one alone, and so does their rest", async () => {
      await slice("s", [tokensADay, concurrent], many(20, 400, 5));
      await world.advance(60_000);
      await world.quota.renew("acme", ["s"], 90_000);
      expect(await remaining([tokensADay, concurrent])).toEqual([1_000, 5]);
      await settlePart("s", many(6, 50), "t", many(0, 100, 2));
      expect(await remaining([tokensADay, concurrent])).toEqual([1_000, 8]);
      await settle("t", many(0, 80));
      expect(await remaining([tokensADay, concurrent])).toEqual([1_000, 10]);
    });
  });
}
