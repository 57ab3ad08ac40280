import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { QuotaHistory, UsedCounter } from "../../src/quota/history.ts";
import { StoreUnavailable, type LimitState, type ReserveOutcome } from "../../src/quota/store.ts";
import { readValkeyAddress } from "../../src/runtime/node/valkey-address.ts";
import { ValkeyCalls } from "../../src/runtime/node/valkey-calls.ts";
import { ValkeyConnection } from "../../src/runtime/node/valkey-connection.ts";
import { quotaLibrary } from "../../src/runtime/node/valkey-library.ts";
import { ValkeyRebuild } from "../../src/runtime/node/valkey-rebuild.ts";
import { openValkeyQuota, type ValkeyOptions, type ValkeyStore } from "../../src/runtime/node/valkey.ts";
import { periodAt } from "../../src/tenant/periods.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import { recordingLog } from "./valkey-world.ts";

const monthly = apply(limit("monthly", "tokens", "month", 10_000).setting, "", undefined, Date.now());
const requestsADay = apply(limit("asked", "requests", "day", 100).setting, "", undefined, Date.now());
const minute = limit("minute", "tokens", "minute", 600, 1_000);
const concurrent = limit("concurrent", "concurrent", "open", 5);
const limits = [monthly, minute, concurrent, requestsADay];

const ports = { roster: (): Promise<readonly string[]> => Promise.resolve([]), log: recordingLog() };

/** What the journal would say, and how often it was asked. */
class Receipts implements QuotaHistory {
  readonly tokens = new Map<string, number>();
  asked = 0;
  /** Between looking and telling what was seen. */
  pause: () => Promise<unknown> = () => delay(30);

  async counters(_tenantId: string, nowMs: number, except: ReadonlySet<string>): Promise<readonly UsedCounter[]> {
    this.asked += 1;
    const seen = [...this.tokens].filter(([id]) => !except.has(id));
    await this.pause();
    if (seen.length === 0) return [];
    const tokens = seen.reduce((sum, [, used]) => sum + used, 0);
    return [
      { limit: monthly, period: periodAt(monthly.periods, nowMs), used: tokens },
      { limit: requestsADay, period: periodAt(requestsADay.periods, nowMs), used: seen.length },
    ];
  }
}

describeOnValkey("limits that Valkey lost", () => {
  let server: ValkeyServer;
  let receipts: Receipts;
  const opened: { close(): void }[] = [];

  beforeAll(async () => {
    server = await ValkeyServer.start();
  }, 20_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    receipts = new Receipts();
    await server.command("FLUSHALL");
  });
  afterEach(() => {
    for (const one of opened.splice(0)) one.close();
  });

  async function open(options: Partial<ValkeyOptions> = {}): Promise<ValkeyStore> {
    const store = await openValkeyQuota(server.address, recordingLog(), {
      commandTimeoutMs: 300,
      history: receipts,
      quarantineMs: 400,
      ...options,
    });
    opened.push(store);
    return store;
  }

  const reserve = (store: ValkeyStore, id: string, tokens: number, tenantId = "acme"): Promise<ReserveOutcome> =>
    store.quota.reserve(reservation(id, limits, amounts(tokens), { tenantId }));
  const settle = (store: ValkeyStore, id: string, tokens: number): Promise<boolean> => {
    receipts.tokens.set(id, tokens);
    return store.quota.settle({ id, tenantId: "acme", charge: { ...amounts(tokens), requests: 0 } });
  };
  const remaining = (states: readonly LimitState[]): number[] => states.map((state) => state.remaining);
  const left = async (store: ValkeyStore): Promise<number[]> =>
    remaining(await store.quota.inspect("acme", [monthly, requestsADay, concurrent]));

  async function lose(store: ValkeyStore): Promise<void> {
    const before = await store.epoch("acme");
    await server.kill();
    await server.resume();
    await expect.poll(() => store.epoch("acme").catch(() => before)).not.toBe(before);
  }

  it("are whole for a tenant that never had a receipt", async () => {
    const outcome = await reserve(await open(), "a", 100);
    expect(outcome.admitted).toBe(true);
    expect(remaining(outcome.states)).toEqual([9_900, 900, 4, 99]);
  });

  it(
    "are summed once, whoever notices, with what is still open put back, and admit nothing before",
    { timeout: 20_000 },
    async () => {
      const stores = [await open(), await open(), await open()];
      const [first, second, third] = stores as [ValkeyStore, ValkeyStore, ValkeyStore];
      await reserve(first, "open", 500);
      await reserve(second, "over", 200);
      await settle(second, "over", 150);
      receipts.tokens.set("of last week", 2_000);
      receipts.asked = 0;

      await lose(first);
      await expect(reserve(third, "too soon", 1)).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(first.quota.inspect("acme", limits)).rejects.toBeInstanceOf(StoreUnavailable);

      await delay(600);
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, (_, index) => reserve(stores[index % 3] as ValkeyStore, `r${index}`, 0)),
      );
      // Five slots, of which one is taken since before the loss.
      expect(outcomes.filter((outcome) => outcome.admitted)).toHaveLength(4);
      expect(receipts.asked).toBe(1);
      const [ofMonth, ofMinute, slots, asked] = await first.quota.inspect("acme", limits);
      expect(ofMonth?.remaining).toBe(10_000 - 2_150 - 500);
      expect(slots?.remaining).toBe(0);
      expect(asked?.remaining).toBe(100 - 2 - 1 - 4);
      // What the bucket held is not known, so that it began used up and refills; what is open is on top of that.
      expect(ofMinute?.remaining).toBeLessThan(-450);

      expect(await settle(first, "open", 400)).toBe(true);
      expect(await left(third)).toEqual([10_000 - 2_150 - 400, 100 - 2 - 1 - 4, 1]);
      expect(receipts.asked).toBe(1);
    },
  );

  it("become whole without a request, where something was open", { timeout: 10_000 }, async () => {
    const store = await open();
    await reserve(store, "open", 500);
    receipts.asked = 0;
    await lose(store);
    await expect.poll(() => receipts.asked, { timeout: 3_000 }).toBe(1);
  });

  it("refuse while the journal cannot be read, and serve when it can", async () => {
    const store = await open({ quarantineMs: 0 });
    receipts.pause = () => Promise.reject(new StoreUnavailable("the journal is away"));
    await expect(reserve(store, "a", 1)).rejects.toBeInstanceOf(StoreUnavailable);
    receipts.pause = () => Promise.resolve();
    // Once the turn of the attempt that failed is over, or at the same gateway at once.
    await expect.poll(async () => (await reserve(store, "b", 0)).admitted, { timeout: 15_000 }).toBe(true);
  });

  it("count once what ends while the journal is summed, on whichever side of the looking its receipt is", async () => {
    const [first, second] = [await open({ quarantineMs: 0 }), await open({ quarantineMs: 0 })];
    for (const id of ["a", "b", "c"]) await reserve(first, id, 100);
    const look = Promise.withResolvers<void>();
    receipts.asked = 0;
    receipts.pause = () => look.promise;
    await server.kill();
    receipts.tokens.set("of last week", 1_000);
    // Its receipt is written, and its settlement still to come.
    receipts.tokens.set("a", 10);
    await server.resume();
    await expect.poll(() => receipts.asked, { timeout: 3_000 }).toBeGreaterThan(0);

    await settle(first, "a", 10);
    await settle(first, "b", 20);
    look.resolve();
    await expect.poll(() => left(second)).toEqual([10_000 - 1_030 - 100, 96, 4]);
    await settle(first, "c", 30);
    expect(await left(second)).toEqual([10_000 - 1_060, 96, 5]);
  });

  it("count once what ended while the server was away", async () => {
    const store = await open({ quarantineMs: 0 });
    for (const id of ["a", "b"]) await reserve(store, id, 100);
    await server.kill();
    await expect(settle(store, "a", 10)).rejects.toBeInstanceOf(StoreUnavailable);
    await server.resume();
    await expect.poll(() => left(store).catch(() => [])).toEqual([10_000 - 10 - 100, 98, 4]);
  });

  it("are summed in the end where the journal takes longer than a turn", async () => {
    const connection = new ValkeyConnection(
      readValkeyAddress(server.address),
      quotaLibrary(false),
      { commandTimeoutMs: 300, connectTimeoutMs: 1_000 },
      recordingLog(),
    );
    opened.push(connection);
    await connection.start(2_000);
    const calls = new ValkeyCalls(connection, 300, () => undefined);
    receipts.tokens.set("a", 100);
    receipts.pause = () => delay(150);
    const settings = { quarantineMs: 0, patienceMs: 4_000, turnMs: 20 };
    const replicas = Array.from({ length: 6 }, () => new ValkeyRebuild({ ...ports, calls, history: receipts }, settings));
    await Promise.all(replicas.map((one) => one.make("acme")));
    expect((await left(await open({ quarantineMs: 0 })))[0]).toBe(9_900);
  });

  it("take nothing from a replica whose turn is over, nor twice, nor in another epoch", async () => {
    const make = async (turnMs: number, used: () => Promise<number>): Promise<{ rebuild: ValkeyRebuild; calls: ValkeyCalls }> => {
      const connection = new ValkeyConnection(
        readValkeyAddress(server.address),
        quotaLibrary(false),
        { commandTimeoutMs: 300, connectTimeoutMs: 1_000 },
        recordingLog(),
      );
      opened.push(connection);
      await connection.start(2_000);
      const calls = new ValkeyCalls(connection, 300, () => undefined);
      const history: QuotaHistory = {
        counters: async () => [{ limit: monthly, period: periodAt(monthly.periods, Date.now()), used: await used() }],
      };
      return { calls, rebuild: new ValkeyRebuild({ ...ports, calls, history }, { quarantineMs: 0, patienceMs: 4_000, turnMs }) };
    };
    const releases: ((used: number) => void)[] = [];
    const whenReleased = (): Promise<number> => new Promise((resolve) => releases.push(resolve));
    const [slow, quick] = [await make(75, whenReleased), await make(60_000, whenReleased)];
    const reader = await open({ quarantineMs: 0, history: { counters: () => new Promise(() => undefined) } });
    const used = async (tenantId: string): Promise<number> =>
      10_000 - ((await reader.quota.inspect(tenantId, [monthly]))[0]?.remaining ?? 0);

    // The second takes over from one that is too slow, which then comes with its sums nevertheless.
    const slowly = slow.rebuild.make("acme");
    await delay(80);
    const quickly = quick.rebuild.make("acme");
    await expect.poll(() => releases.length).toBe(2);
    releases[0]?.(5_000);
    await delay(50);
    await expect(used("acme")).rejects.toBeInstanceOf(StoreUnavailable);
    releases[1]?.(700);
    await Promise.all([slowly, quickly]);
    expect(await used("acme")).toBe(700);
    await quick.rebuild.make("acme");
    expect(await used("acme")).toBe(700);

    // Both have the first turn, each in an epoch of its own.
    const before = slow.rebuild.make("other");
    await expect.poll(() => releases.length).toBe(3);
    await server.command("FLUSHALL");
    const after = quick.rebuild.make("other");
    await expect.poll(() => releases.length).toBe(4);
    releases[2]?.(5_000);
    await delay(10);
    releases[3]?.(900);
    await Promise.all([before, after]);
    expect(await used("other")).toBe(900);
  });
});
