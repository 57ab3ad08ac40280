import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { StoreUnavailable, type LimitState, type ReserveOutcome } from "../../src/quota/store.ts";
import { readValkeyAddress } from "../../src/runtime/node/valkey-address.ts";
import { ValkeyConnection } from "../../src/runtime/node/valkey-connection.ts";
import { quotaLibrary } from "../../src/runtime/node/valkey-library.ts";
import { ValkeyQuota } from "../../src/runtime/node/valkey-quota.ts";
import { ValkeyRebuild, type QuotaHistory, type RebuiltCounter } from "../../src/runtime/node/valkey-rebuild.ts";
import { openValkeyQuota, type ValkeyOptions, type ValkeyStore } from "../../src/runtime/node/valkey.ts";
import { periodAt } from "../../src/tenant/periods.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import { recordingLog } from "./valkey-world.ts";

const monthly = apply(limit("monthly", "tokens", "month", 10_000).setting, "", undefined, Date.now());
const minute = limit("minute", "tokens", "minute", 600, 1_000);
const concurrent = limit("concurrent", "concurrent", "open", 5);
const limits = [monthly, minute, concurrent];

/** What the journal would say, and how often it was asked. */
class Receipts implements QuotaHistory {
  readonly tokens = new Map<string, number>();
  asked = 0;

  isKnown(tenantId: string): Promise<boolean> {
    return Promise.resolve(this.tokens.has(tenantId));
  }

  async counters(tenantId: string): Promise<readonly RebuiltCounter[]> {
    this.asked += 1;
    await delay(30);
    return [{ limit: monthly, period: periodAt(monthly.periods, Date.now()), used: this.tokens.get(tenantId) ?? 0 }];
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
  const remaining = (states: readonly LimitState[]): number[] => states.map((state) => state.remaining);

  it("do not concern a tenant that never had a receipt: it is served at once", async () => {
    const store = await open({ quarantineMs: 60_000 });
    const outcome = await reserve(store, "a", 100);
    expect(outcome.admitted).toBe(true);
    expect(remaining(outcome.states)).toEqual([9_900, 900, 4]);
    expect(receipts.asked).toBe(0);
  });

  it(
    "are rebuilt once, whoever notices, with what is still open put back, and admit nothing before",
    { timeout: 20_000 },
    async () => {
      const stores = [await open(), await open(), await open()];
      const [first, second, third] = stores as [ValkeyStore, ValkeyStore, ValkeyStore];
      await reserve(first, "open", 500);
      await reserve(second, "over", 200);
      await second.quota.settle({ id: "over", tenantId: "acme", charge: amounts(150) });
      receipts.tokens.set("acme", 2_150);

      await server.kill();
      await server.resume();
      await expect.poll(() => first.epoch("acme").catch(() => 0)).toBeGreaterThan(0);
      await expect(reserve(third, "too soon", 1)).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(first.quota.inspect("acme", limits)).rejects.toBeInstanceOf(StoreUnavailable);

      await delay(600);
      const outcomes = await Promise.all(
        Array.from({ length: 30 }, (_, index) => reserve(stores[index % 3] as ValkeyStore, `r${index}`, 0)),
      );
      // Five slots, of which one is taken since before the loss.
      expect(outcomes.filter((outcome) => outcome.admitted)).toHaveLength(4);
      expect(receipts.asked).toBe(1);
      const [ofMonth, ofMinute, slots] = await first.quota.inspect("acme", limits);
      expect(ofMonth?.remaining).toBe(10_000 - 2_150 - 500);
      expect(slots?.remaining).toBe(0);
      // What the bucket held is not known, so that it began used up and refills; what is open is on top of that.
      expect(ofMinute?.remaining).toBeLessThan(-450);

      expect(await first.quota.settle({ id: "open", tenantId: "acme", charge: amounts(400) })).toBe(true);
      expect((await third.quota.inspect("acme", [monthly]))[0]?.remaining).toBe(10_000 - 2_150 - 400);
      await Promise.all(stores.map((store) => store.rebuild("acme")));
      expect((await third.quota.inspect("acme", [monthly]))[0]?.remaining).toBe(10_000 - 2_150 - 400);
      expect(receipts.asked).toBe(1);
    },
  );

  it("refuse while the journal cannot be read, and serve when it can", async () => {
    receipts.tokens.set("acme", 100);
    const store = await open({ quarantineMs: 0 });
    receipts.isKnown = () => Promise.reject(new StoreUnavailable("the journal is away"));
    await expect(reserve(store, "a", 1)).rejects.toBeInstanceOf(StoreUnavailable);
    receipts.isKnown = () => Promise.resolve(true);
    expect((await reserve(store, "b", 0)).admitted).toBe(true);
  });

  it("take nothing from a replica whose turn is over, nor twice, nor in another epoch", async () => {
    const make = async (turnMs: number, used: () => Promise<number>): Promise<{ rebuild: ValkeyRebuild; quota: ValkeyQuota }> => {
      const log = recordingLog();
      const connection = new ValkeyConnection(
        readValkeyAddress(server.address),
        quotaLibrary(undefined),
        { commandTimeoutMs: 300, connectTimeoutMs: 1_000 },
        log,
      );
      opened.push(connection);
      await connection.start(2_000);
      const quota = new ValkeyQuota(connection, String(opened.length), { commandTimeoutMs: 300, rebuild: undefined }, log);
      const history: QuotaHistory = {
        isKnown: () => Promise.resolve(true),
        counters: async () => [{ limit: monthly, period: periodAt(monthly.periods, Date.now()), used: await used() }],
      };
      return { quota, rebuild: new ValkeyRebuild(quota.call, history, { quarantineMs: 0, patienceMs: 4_000, turnMs }) };
    };
    const releases: ((used: number) => void)[] = [];
    const whenReleased = (): Promise<number> => new Promise((resolve) => releases.push(resolve));
    const [slow, quick] = [await make(75, whenReleased), await make(60_000, whenReleased)];
    const used = async (tenantId: string): Promise<number> =>
      10_000 - ((await quick.quota.inspect(tenantId, [monthly]))[0]?.remaining ?? 0);

    // The second takes over from one that is too slow, which then comes with its sums nevertheless.
    const slowly = slow.rebuild.make("acme");
    await delay(80);
    const quickly = quick.rebuild.make("acme");
    await expect.poll(() => releases.length).toBe(2);
    releases[0]?.(5_000);
    await delay(50);
    expect(await used("acme")).toBe(0);
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
    expect(await used("other")).toBe(0);
    releases[3]?.(900);
    await Promise.all([before, after]);
    expect(await used("other")).toBe(900);
  });
});
