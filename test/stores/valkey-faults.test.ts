import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { AppliedLimit } from "../../src/quota/limit.ts";
import { StoreUnavailable, type ReserveOutcome } from "../../src/quota/store.ts";
import { openValkeyQuota, type ValkeyOptions, type ValkeyStore } from "../../src/runtime/node/valkey.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import { recordingLog, setTestTime, type LogLine } from "./valkey-world.ts";

const commandTimeoutMs = 300;
const concurrent = limit("concurrent", "concurrent", "open", 10);
const monthly = apply(limit("monthly", "tokens", "month", 1_000).setting, "", undefined, Date.now());
const limits = [monthly, concurrent];

describeOnValkey("Valkey that fails", () => {
  let server: ValkeyServer;
  let proxy: CuttingProxy;
  const opened: ValkeyStore[] = [];
  const lines: LogLine[] = [];

  beforeAll(async () => {
    server = await ValkeyServer.start();
    proxy = await CuttingProxy.start(server.port);
  }, 20_000);
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });
  beforeEach(async () => {
    await server.command("FLUSHALL");
    lines.length = 0;
  });
  afterEach(() => {
    for (const store of opened.splice(0)) store.close();
  });

  async function open(address = server.address, options: Partial<ValkeyOptions> = {}): Promise<ValkeyStore> {
    const store = await openValkeyQuota(address, recordingLog(lines), { commandTimeoutMs, quarantineMs: 0, ...options });
    opened.push(store);
    // Whole from here on: what is cut below is the call that the test is about.
    await store.quota.inspect("acme", limits);
    return store;
  }

  const reserve = (store: ValkeyStore, id: string, tokens = 100): Promise<ReserveOutcome> =>
    store.quota.reserve(reservation(id, limits, amounts(tokens)));
  const settle = (store: ValkeyStore, id: string, tokens: number): Promise<boolean> =>
    store.quota.settle({ id, tenantId: "acme", charge: amounts(tokens) });
  const remaining = async (store: ValkeyStore, of: readonly AppliedLimit[] = limits): Promise<number[]> =>
    (await store.quota.inspect("acme", of)).map((state) => state.remaining);

  it("refuses within the time that a call has while it says nothing, and holds nothing for those who gave up", async () => {
    const store = await open();
    process.kill(server.pid, "SIGSTOP");
    const startMs = performance.now();
    const asked = await Promise.allSettled(Array.from({ length: 20 }, (_, index) => reserve(store, `r${index}`)));
    const tookMs = performance.now() - startMs;
    process.kill(server.pid, "SIGCONT");
    expect(asked.map((one) => (one.status === "rejected" ? (one.reason as Error).name : "admitted"))).toEqual(
      Array(20).fill("StoreUnavailable"),
    );
    expect(tookMs).toBeLessThan(commandTimeoutMs + 200);
    // Some may have been done in the last millisecond, and are given back.
    await expect.poll(() => remaining(store)).toEqual([1_000, 10]);
  });

  it("is given up after a while that it says nothing, and found again when it goes on", async () => {
    const store = await open();
    await server.command("CLIENT", "PAUSE", 1_500, "ALL");
    const startMs = performance.now();
    let refused = 0;
    let atOnce = 0;
    for (;;) {
      const beganMs = performance.now();
      try {
        await reserve(store, `r${refused}`);
        break;
      } catch (error) {
        expect(error).toBeInstanceOf(StoreUnavailable);
        refused += 1;
        if (performance.now() - beganMs < 50) atOnce += 1;
      }
      await delay(20);
    }
    expect(performance.now() - startMs).toBeLessThan(4_000);
    expect(refused).toBeGreaterThan(3);
    // Once the connection is given up nobody waits for it.
    expect(atOnce).toBeGreaterThan(3);
    await store.quota.expire(1);
    expect(await remaining(store)).toEqual([900, 9]);
  });

  it("is asked once more where the connection broke, and does nothing twice", async () => {
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    proxy.cutNextAnswer();
    expect((await reserve(store, "a")).admitted).toBe(true);
    expect(await remaining(store)).toEqual([900, 9]);
    proxy.cutNextAnswer();
    expect(await settle(store, "a", 30)).toBe(true);
    expect(await settle(store, "a", 30)).toBe(false);
    expect(await remaining(store)).toEqual([970, 10]);
  });

  it("gives back what it placed for a call that never heard of it", async () => {
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    proxy.cutNextAnswerAndLeave();
    await expect(reserve(store, "a")).rejects.toBeInstanceOf(StoreUnavailable);
    const other = await open();
    expect(await remaining(other)).toEqual([900, 9]);
    proxy.comeBack();
    await expect.poll(() => remaining(other)).toEqual([1_000, 10]);
  });

  it("gives back nothing that another gateway placed under the same id since", async () => {
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    proxy.cutNextAnswerAndLeave();
    await expect(reserve(store, "a")).rejects.toBeInstanceOf(StoreUnavailable);
    const other = await open();
    await settle(other, "a", 0);
    await reserve(other, "a", 300);
    proxy.comeBack();
    await expect.poll(() => store.epoch("acme").catch(() => 0)).toBeGreaterThan(0);
    await delay(50);
    expect(await remaining(other)).toEqual([700, 9]);
  });

  it("holds once what is asked for again after a call that never heard of it", async () => {
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    proxy.cutNextAnswerAndLeave();
    await expect(reserve(store, "a")).rejects.toBeInstanceOf(StoreUnavailable);
    proxy.comeBack();
    await expect
      .poll(() =>
        reserve(store, "a").then(
          (outcome) => outcome.admitted,
          () => false,
        ),
      )
      .toBe(true);
    await delay(100);
    expect(await remaining(store)).toEqual([900, 9]);
  });

  it("is told at last of a settlement that it missed", async () => {
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    await reserve(store, "a");
    process.kill(server.pid, "SIGSTOP");
    await expect(settle(store, "a", 30)).rejects.toBeInstanceOf(StoreUnavailable);
    process.kill(server.pid, "SIGCONT");
    await store.quota.expire(1);
    expect(await remaining(store)).toEqual([970, 10]);
  });

  it("is told of what it missed by itself when it is back, and the log once that it waited", { timeout: 10_000 }, async () => {
    const store = await open(`redis://127.0.0.1:${proxy.port}`);
    await reserve(store, "a");
    proxy.cutNextAnswerAndLeave();
    await expect(reserve(store, "b")).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(settle(store, "a", 30)).rejects.toBeInstanceOf(StoreUnavailable);
    await delay(900);
    proxy.comeBack();
    const other = await open();
    await expect.poll(() => remaining(other), { timeout: 5_000 }).toEqual([970, 10]);
    const told = lines.filter(({ message }) => message.startsWith("settlements "));
    expect(told.map(({ message }) => message)).toEqual([
      "settlements wait for Valkey",
      "settlements that waited for Valkey are made",
    ]);
  });

  it("gets its library again where it was dropped", async () => {
    const store = await open();
    await server.command("FUNCTION", "FLUSH");
    const outcomes = await Promise.all(["a", "b", "c"].map((id) => reserve(store, id)));
    expect(outcomes.every((outcome) => outcome.admitted)).toBe(true);
  });

  it("that comes back empty is told what is still open, and its epoch is another", async () => {
    const store = await open();
    await reserve(store, "a");
    await reserve(store, "b");
    await settle(store, "b", 30);
    const before = await store.epoch("acme");
    await server.kill();
    await expect(reserve(store, "c")).rejects.toBeInstanceOf(StoreUnavailable);
    await server.resume();
    await expect.poll(() => store.epoch("acme").catch(() => before)).not.toBe(before);
    await expect.poll(() => remaining(store)).toEqual([900, 9]);
    expect(lines.some(({ message, fields }) => message.startsWith("Valkey lost its data") && fields["putBack"] === 1)).toBe(true);
    expect(await settle(store, "a", 50)).toBe(true);
    expect(await remaining(store)).toEqual([950, 10]);
  });

  it("that was away for longer than a lease and comes back empty is told what is still open", { timeout: 10_000 }, async () => {
    const store = await open();
    await store.quota.reserve({ ...reservation("a", limits, amounts(100)), leaseMs: 200 });
    await server.kill();
    await expect(store.quota.renew("acme", ["a"], 60_000)).rejects.toBeInstanceOf(StoreUnavailable);
    await delay(250);
    await expect(store.quota.expire(1)).rejects.toBeInstanceOf(StoreUnavailable);
    await server.resume();
    await expect.poll(() => remaining(store).catch(() => []), { timeout: 5_000 }).toEqual([900, 9]);
    expect(await settle(store, "a", 50)).toBe(true);
    expect(await remaining(store)).toEqual([950, 10]);
  });

  it("killed in the midst of traffic leaves nobody waiting, and counts on when it is back", { timeout: 20_000 }, async () => {
    const store = await open();
    const traffic = { ends: false };
    let [admitted, unavailable, longestMs] = [0, 0, 0];
    const wide = [limit("wide", "concurrent", "open", 1_000)];
    const work = async (name: number): Promise<void> => {
      for (let serial = 0; !traffic.ends; serial++) {
        const startMs = performance.now();
        try {
          const id = `${name}-${serial}`;
          if ((await store.quota.reserve(reservation(id, wide, amounts(1)))).admitted) admitted += 1;
          await settle(store, id, 1);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreUnavailable);
          unavailable += 1;
          await delay(10);
        }
        longestMs = Math.max(longestMs, performance.now() - startMs);
      }
    };
    const workers = Promise.all(Array.from({ length: 40 }, (_, name) => work(name)));
    await delay(300);
    await server.kill();
    await delay(700);
    expect(unavailable).toBeGreaterThan(40);
    await server.resume();
    const before = admitted;
    await expect.poll(() => admitted, { timeout: 5_000 }).toBeGreaterThan(before + 500);
    traffic.ends = true;
    await workers;
    // A reservation and a settlement, and what a busy machine adds.
    expect(longestMs).toBeLessThan(2 * commandTimeoutMs + 500);
    await store.quota.expire(1);
    await expect.poll(() => remaining(store, wide)).toEqual([1_000]);
  });

  it("goes by its own time in production, whatever a test's key says", async () => {
    await setTestTime(server, 1_000);
    const store = await open();
    expect((await store.epoch("acme")) / 1_000).toBeGreaterThan(Date.now() - 60_000);
  });

  it("drops counters of scopes without end when they are back to nothing, and never before", async () => {
    const store = await open();
    const ofUser = apply({ ...limit("user", "tokens", "minute", 600).setting, endUser: "each" }, "|user=u_1");
    await store.quota.reserve(reservation("a", [ofUser, monthly], amounts(600)));
    const keys = (await server.command("KEYS", "*:acme:c*")) as string[];
    const lives = async (): Promise<unknown[]> => Promise.all(keys.sort().map((key) => server.command("PTTL", key)));
    expect(keys).toHaveLength(2);
    expect(await lives()).toEqual([-1, -1]);
    await settle(store, "a", 600);
    const [ofTenant, passing] = await lives();
    expect(ofTenant).toBe(-1);
    expect(passing).toBeGreaterThan(3_600_000 + 59_000);
    expect(passing).toBeLessThanOrEqual(3_600_000 + 60_000);
  });
});

describeOnValkey("Valkey with a password", () => {
  it("takes the right one, and tells nobody of the wrong one", { timeout: 20_000 }, async () => {
    const server = await ValkeyServer.start({ password: "right-one" });
    const lines: LogLine[] = [];
    try {
      (await openValkeyQuota(server.address, recordingLog(lines), { quarantineMs: 0 })).close();
      const wrong = openValkeyQuota(`redis://:wrong-one@${server.host}`, recordingLog(lines), { startWaitMs: 500 });
      await expect(wrong).rejects.toThrow(StoreUnavailable);
      await expect(wrong).rejects.not.toThrow(/wrong-one/);
      expect(JSON.stringify(lines)).not.toContain("wrong-one");
    } finally {
      await server.stop();
    }
  });
});
