import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sweepExpired } from "../../../src/ledger/sweep.ts";
import { StoreUnavailable } from "../../../src/quota/store.ts";
import type { LimitSetting } from "../../../src/tenant/limit-setting.ts";
import { amounts, limit } from "../../stores/samples.ts";
import { SliceWorld } from "./slice-world.ts";

const sliced = (setting: LimitSetting): LimitSetting => ({ ...setting, slices: true });
const lasting = (setting: LimitSetting): LimitSetting => ({ ...setting, slices: true, onOutage: "allow-local" });
const tokensADay = limit("daily", "tokens", "day", 100_000).setting;
const requests = limit("requests", "requests", "minute", 10_000).setting;
const concurrent = limit("concurrent", "concurrent", "open", 1_000).setting;
const settings = [tokensADay, requests, concurrent].map(sliced);
const lastingSettings = [tokensADay, requests, concurrent].map(lasting);

describe("SlicedQuota", () => {
  let world: SliceWorld;
  beforeEach(async () => {
    world = new SliceWorld(2);
    // Past midnight, which all the days here are to come after.
    await world.pass(120_000);
  });
  afterEach(() => world.close());

  async function send(replica: number, count: number, of: readonly LimitSetting[] = settings, tokens = 10): Promise<string[]> {
    const ids: string[] = [];
    for (let serial = 0; serial < count; serial++) {
      const id = `r${replica}-${world.clock.nowMs()}-${serial}`;
      const outcome = await world.reserve(replica, id, of, amounts(tokens));
      if (outcome.admitted) ids.push(id);
      await world.settle(replica, id, amounts(tokens));
    }
    return ids;
  }

  it("admits a busy tenant's requests with few calls to the store", async () => {
    for (let second = 0; second < 5; second++) {
      expect(await send(0, 100)).toHaveLength(100);
      await world.pass(1_000);
    }
    // One for each would be a thousand, and one for each settlement as many.
    expect(world.replica(0).calls).toBeLessThan(60);
  });

  it("admits with few calls although a limit by the day is asked nothing of, as one of money by models that are free", async () => {
    const usd = sliced(limit("usd", "micro_usd", "day", 1_000_000).setting);
    await send(0, 100, [...settings, usd]);
    expect(world.replica(0).calls).toBeLessThan(30);
    expect(await world.remaining([usd])).toEqual([1_000_000]);
  });

  it("gives everything back that was not used, within seconds", async () => {
    await send(0, 100);
    await world.pass(3_000);
    expect(await world.remaining(settings)).toEqual([99_000, 10_000, 1_000]);
  });

  it("asks the store for every request of a tenant that is not busy", async () => {
    for (let serial = 0; serial < 5; serial++) {
      await send(0, 1);
      await world.pass(1_000);
    }
    expect(world.replica(0).calls).toBe(10);
  });

  it("asks the store for every request where one of its limits allows no slices", async () => {
    await send(0, 50, [...settings, { ...tokensADay, name: "other" }]);
    expect(world.replica(0).calls).toBe(100);
  });

  it("refuses nothing that the store would admit, and nothing is admitted beyond it", async () => {
    const small = [sliced({ ...tokensADay, ceiling: 1_000 })];
    expect(await send(0, 150, small)).toHaveLength(100);
    expect(await world.remaining(small)).toEqual([0]);
  });

  it("says of a limit what is left in the store and in the slice together", async () => {
    const ids = await world.warm(0, settings, 10);
    const outcome = await world.reserve(0, "one", settings, amounts(10));
    expect(outcome.states.map(({ remaining }) => remaining)).toEqual([100_000 - 10 * (ids.length + 1), 10_000 - 13, 1_000 - 13]);
  });

  it("keeps for open requests what they hold, and charges it when they end", async () => {
    const ids = await world.warm(0, settings, 10, 40);
    await world.pass(30_000);
    expect(await world.remaining(settings)).toEqual([100_000 - 400, 10_000, 960]);
    for (const id of ids) expect(await world.settle(0, id, amounts(3))).toBe(true);
    await world.pass(1_000);
    expect(await world.remaining(settings)).toEqual([100_000 - 120, 10_000, 1_000]);
  });

  it("settles once", async () => {
    const [id = ""] = (await world.warm(0, settings, 10, 40)).slice(-1);
    expect(await world.settle(0, id, amounts(3))).toBe(true);
    expect(await world.settle(0, id, amounts(3))).toBe(false);
  });

  it("does not admit a request that is open already", async () => {
    const [id = ""] = (await world.warm(0, settings, 10, 40)).slice(-1);
    await expect(world.reserve(0, id, settings, amounts(10))).rejects.toThrow(/open already/);
  });

  it("leaves a dead replica's slice charged whole, its slots free, and its requests in the journal once", async () => {
    const ids = await world.warm(0, settings, 10, 40);
    world.crash(0);
    await world.pass(70_000);
    const written: string[] = [];
    const journal = {
      append: async ({ requestId }: { requestId: string }) => void written.push(requestId),
      find: async () => undefined,
      list: async () => [],
      findResponse: async () => undefined,
    };
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    for (const replica of [1, 0, 0]) await sweepExpired(world.replica(replica).quota, journal, log);
    expect(written.toSorted()).toEqual(ids.toSorted());
    const [tokens = 0, , slots] = await world.remaining(settings);
    expect(tokens).toBeLessThanOrEqual(100_000 - 400);
    expect(slots).toBe(1_000);
  });

  it("settles what it admitted before it was started anew", async () => {
    const [id = ""] = (await world.warm(0, settings, 10, 40)).slice(-1);
    world.crash(0);
    await world.replica(0).quota.renew("acme", [id], 90_000);
    await world.pass(70_000);
    expect(await world.settle(0, id, amounts(3))).toBe(true);
    expect(await world.settle(0, id, amounts(3))).toBe(false);
  });

  it("charges a day only what was admitted in it", async () => {
    await world.pass(86_400_000 - 60_000 - 500);
    for (let step = 0; step < 10; step++) {
      await send(0, 30);
      await world.pass(100);
    }
    await world.pass(2_000);
    const [tokens = 0] = await world.remaining(settings);
    expect(tokens).toBe(100_000 - 1_500);
  });

  it("gives a limit that was changed slices of its own", async () => {
    await world.warm(0, settings, 10, 40);
    const lowered = settings.map((one) => (one.name === "daily" ? { ...one, ceiling: 500 } : one));
    await send(0, 30, lowered);
    const [tokens = 0] = await world.remaining(lowered);
    expect(tokens).toBeLessThan(100);
  });

  it("refuses while the store is away, unless all limits allow what is local", async () => {
    for (const [of, admitted] of [
      [settings, false],
      [lastingSettings, true],
      [[...settings.slice(1), ...lastingSettings.slice(0, 1)], false],
    ] as const) {
      await send(0, 60, of);
      world.replica(0).link = "away";
      // The first may still find a slice, before it is known that the store is away.
      await world.pass(1_100);
      const one = world.reserve(0, `late-${admitted}-${of[0]?.onOutage}`, of, amounts(10));
      if (admitted) expect((await one).admitted).toBe(true);
      else await expect(one).rejects.toBeInstanceOf(StoreUnavailable);
      world.replica(0).link = "up";
      await world.pass(5_000);
    }
  });

  it("admits nothing in an outage once the slice's lease is over, whatever is left of it", async () => {
    await send(0, 60, lastingSettings);
    world.replica(0).link = "away";
    await world.pass(50_000);
    expect((await world.reserve(0, "before", lastingSettings, amounts(10))).admitted).toBe(true);
    await world.pass(10_000);
    await expect(world.reserve(0, "after", lastingSettings, amounts(10))).rejects.toBeInstanceOf(StoreUnavailable);
  });

  it("admits in an outage no more than was left of the slice", async () => {
    await send(0, 60, lastingSettings);
    world.replica(0).link = "away";
    let admitted = 0;
    try {
      for (;;) {
        await world.reserve(0, `out-${admitted}`, lastingSettings, amounts(10));
        admitted++;
      }
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable);
    }
    expect(admitted).toBeGreaterThan(20);
    const [tokens = 0] = await world.remaining(lastingSettings);
    expect(600 + 10 * admitted).toBeLessThanOrEqual(100_000 - tokens);
  });

  it("tells the store once it is back what was used meanwhile", async () => {
    await send(0, 60, lastingSettings);
    world.replica(0).link = "away";
    await send(0, 20, lastingSettings);
    await world.pass(10_000);
    world.replica(0).link = "up";
    await world.pass(15_000);
    expect(await world.remaining(lastingSettings)).toEqual([100_000 - 800, 10_000, 1_000]);
  });

  it("gives back a slice that it was granted without hearing of it", async () => {
    await send(0, 7);
    world.replica(0).link = "mute";
    await expect(send(0, 1)).rejects.toBeInstanceOf(StoreUnavailable);
    world.replica(0).link = "up";
    await world.pass(2_000);
    const [tokens, , slots = 0] = await world.remaining(settings);
    // What the store admitted of the request itself is up to whoever asked.
    expect([tokens, slots]).toEqual([100_000 - 80, 999]);
  });

  it("gives its slices back when it is closed", async () => {
    await send(0, 60);
    await world.replica(0).quota.close();
    expect((await world.remaining(settings))[0]).toBe(100_000 - 600);
    expect((await world.remaining(settings))[2]).toBe(1_000);
  });
});
