import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DirectoryObject } from "../../src/runtime/worker/directory-object.ts";
import { directoryObjectName } from "../../src/runtime/worker/object-stubs.ts";
import { QueryView } from "../../src/runtime/worker/query-view.ts";
import { openObjectStores } from "../../src/runtime/worker/stores.ts";
import type { TenantObject } from "../../src/runtime/worker/tenant-object.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { amounts, auditEntry, directoryEntry, limit, receipt, reservation } from "../stores/samples.ts";

const stores = openObjectStores(env, () => undefined);
// Made anew for each call: one from before a `reset` points nowhere.
const acme = (): DurableObjectStub<TenantObject> => env.TENANTS.get(env.TENANTS.idFromName("acme"));
const directory = (): DurableObjectStub<DirectoryObject> => env.DIRECTORY.get(env.DIRECTORY.idFromName(directoryObjectName));
const concurrent = limit("concurrent", "concurrent", "open", 2);
const daily = limit("daily", "tokens", "day", 1_000);

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await reset();
});

async function remaining(): Promise<readonly number[]> {
  return (await stores.quota.inspect("acme", [concurrent, daily])).map((state) => state.remaining);
}

function intent(id: string): string {
  return JSON.stringify(receipt(id, { end: "unsettled", chargedTokens: 500 }));
}

function later(byMs: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
}

describe("an eviction", () => {
  it("between reserve and settle loses nothing, and the reservation is settled once", async () => {
    await stores.quota.reserve(reservation("a", [concurrent, daily], amounts(800)));
    const before = await runInDurableObject(acme(), (instance) => instance);
    await evictDurableObject(acme());
    await runInDurableObject(acme(), (instance) => expect(instance).not.toBe(before));
    expect(await remaining()).toEqual([1, 200]);

    await stores.books.close(receipt("a"), { id: "a", tenantId: "acme", charge: amounts(10) });
    await evictDurableObject(acme());
    await stores.books.close(receipt("a"), { id: "a", tenantId: "acme", charge: amounts(999) });
    expect(await remaining()).toEqual([2, 990]);
    expect((await stores.journal.find("acme", "a"))?.end).toBe("completed");
  });

  it("keeps what no gateway is left to settle: the alarm writes it down", async () => {
    await stores.quota.reserve(reservation("a", [concurrent, daily], amounts(500), { leaseMs: 10_000, intent: intent("a") }));
    await evictDurableObject(acme());
    later(10_000);
    expect(await runDurableObjectAlarm(acme())).toBe(true);
    expect((await stores.journal.find("acme", "a"))?.end).toBe("unsettled");
    expect(await remaining()).toEqual([2, 500]);
  });
});

describe("the alarm", () => {
  it("rings by itself when a lease runs out", async () => {
    await stores.quota.reserve(reservation("a", [concurrent], amounts(5), { leaseMs: 200, intent: intent("a") }));
    await vi.waitUntil(async () => (await stores.journal.find("acme", "a")) !== undefined, { timeout: 5_000, interval: 50 });
    expect((await remaining())[0]).toBe(2);
  });

  it("leaves alone what is renewed, and comes back for it", async () => {
    await stores.quota.reserve(reservation("a", [concurrent], amounts(5), { leaseMs: 10_000, intent: intent("a") }));
    await stores.quota.renew("acme", ["a"], 30_000);
    later(10_000);
    await runDurableObjectAlarm(acme());
    expect(await stores.journal.find("acme", "a")).toBeUndefined();
    later(20_000);
    expect(await runDurableObjectAlarm(acme())).toBe(true);
    expect((await stores.journal.find("acme", "a"))?.end).toBe("unsettled");
  });

  it("rests once nothing is held", async () => {
    await stores.quota.reserve(reservation("a", [concurrent], amounts(5), { leaseMs: 10_000, intent: intent("a") }));
    await stores.quota.settle({ id: "a", tenantId: "acme", charge: amounts(5) });
    await runDurableObjectAlarm(acme());
    expect(await runInDurableObject(acme(), (_instance, state) => state.storage.getAlarm())).toBeNull();
  });

  it("takes what a late gateway settles after it", async () => {
    await stores.quota.reserve(reservation("a", [daily], amounts(500), { leaseMs: 10_000, intent: intent("a") }));
    later(10_000);
    await runDurableObjectAlarm(acme());
    await stores.books.close(receipt("a", { end: "client_cancelled" }), { id: "a", tenantId: "acme", charge: amounts(10) });
    expect((await stores.journal.find("acme", "a"))?.end).toBe("client_cancelled");
    expect((await remaining())[1]).toBe(990);
  });
});

describe("the query view", () => {
  const everything = { tenantId: undefined, fromMs: 0, toMs: 10 ** 13, after: undefined, count: 10 };
  const ids = async (): Promise<readonly string[]> => (await stores.reader.scan(everything)).map(({ requestId }) => requestId);

  it("has every receipt a moment after it was written, and each once", async () => {
    await stores.journal.append(receipt("a"));
    await stores.journal.append(receipt("b", { end: "unsettled" }));
    await vi.waitUntil(async () => (await ids()).length === 2, { timeout: 5_000, interval: 50 });
    await stores.journal.append(receipt("b", { chargedTokens: 7 }));
    await runDurableObjectAlarm(acme());
    expect(await ids()).toEqual(["a", "b"]);
    const usage = { ...everything, by: [], timeZone: "UTC", most: 10 };
    expect(await stores.reader.usage(usage)).toMatchObject([{ sums: { requests: 2, unsettled: 0, chargedTokens: 17 } }]);
  });

  it("is given the sums of an object of an earlier version as well, which handed over receipts alone", async () => {
    await stores.journal.append(receipt("a"));
    await runDurableObjectAlarm(acme());
    await env.VIEW.prepare("DROP TABLE usage_slice").run();
    await runInDurableObject(acme(), (_, state) => {
      state.storage.sql.exec("ALTER TABLE hand_over DROP COLUMN leaving");
      state.storage.sql.exec("UPDATE schema_version SET version = 1 WHERE area = 'handOver'");
    });
    await evictDurableObject(acme());
    await stores.journal.append(receipt("b", { startedAtMs: 3_600_000 }));
    await runDurableObjectAlarm(acme());
    const usage = { ...everything, by: [], timeZone: "UTC", most: 10 };
    expect(await stores.reader.usage(usage)).toMatchObject([{ sums: { requests: 2 } }]);
    expect(await ids()).toEqual(["a", "b"]);
  });

  it("is handed over later what it could not be handed over at once", async () => {
    const take = vi.spyOn(QueryView.prototype, "take").mockRejectedValue(new Error("away"));
    await stores.journal.append(receipt("a"));
    await runDurableObjectAlarm(acme());
    expect(take).toHaveBeenCalled();
    take.mockRestore();
    await evictDurableObject(acme());
    expect(await runDurableObjectAlarm(acme())).toBe(true);
    expect(await ids()).toEqual(["a"]);
  });

  it("knows since when a tenant is at work, and no more once all is handed over", async () => {
    const begunMs = Date.now() - 3_600_000;
    const id = `req_${begunMs.toString(16).padStart(12, "0")}00`;
    await stores.quota.reserve(reservation(id, [daily], amounts(5), { leaseMs: 7_200_000 }));
    await runDurableObjectAlarm(acme());
    expect(await stores.reader.completeUntilMs()).toBe(begunMs);
    await stores.books.close(receipt(id, { startedAtMs: begunMs }), { id, tenantId: "acme", charge: amounts(5) });
    await runDurableObjectAlarm(acme());
    expect(await stores.reader.completeUntilMs()).toBeGreaterThan(begunMs);
  });
});

describe("the directory", () => {
  it("is told later, in order, of changes that it could not be told of at once", async () => {
    const take = vi.spyOn(DirectoryObject.prototype, "take").mockRejectedValue(new Error("away"));
    expect(await stores.directory.save(directoryEntry("acme", 1), auditEntry("1", "acme"))).toBe(true);
    expect(await stores.directory.save(directoryEntry("acme", 2, "Renamed"), auditEntry("2", "acme"))).toBe(true);
    expect((await stores.directory.find("acme"))?.tenant.name).toBe("Renamed");
    expect(await stores.directory.list(undefined, 10)).toEqual([]);

    take.mockRestore();
    expect(await runDurableObjectAlarm(acme())).toBe(true);
    expect((await stores.directory.list(undefined, 10)).map((entry) => entry.tenant.name)).toEqual(["Renamed"]);
    expect((await stores.directory.audit(undefined, 10)).map((entry) => entry.id)).toEqual(["2", "1"]);
  });

  it("takes a change once, however often it is told, and none whose predecessor is missing", async () => {
    const told = (revision: number): Promise<void> =>
      runInDurableObject(directory(), (instance) =>
        instance.take(directoryEntry("acme", revision), auditEntry(String(revision), "acme")),
      );
    await told(1);
    await told(1);
    await expect(told(3)).rejects.toThrow("before 2");
    expect(await stores.directory.audit(undefined, 10)).toHaveLength(1);
  });

  it("stores nothing for an id that somebody guesses", async () => {
    expect(await stores.directory.find("guessed")).toBeUndefined();
    expect(await stores.journal.find("guessed", "a")).toBeUndefined();
    const guessed = env.TENANTS.get(env.TENANTS.idFromName("guessed"));
    const tables = await runInDurableObject(guessed, (_instance, state) =>
      state.storage.sql.exec("SELECT name FROM sqlite_master").toArray(),
    );
    expect(tables.filter(({ name }) => !String(name).startsWith("_cf_"))).toEqual([]);
  });
});

describe("an object that cannot be reached", () => {
  it("counts as a store that is away", async () => {
    const away = { TENANTS: brokenNamespace(), SHARDS: env.SHARDS, DIRECTORY: env.DIRECTORY, VIEW: env.VIEW };
    const broken = openObjectStores(away, () => undefined);
    await expect(broken.quota.reserve(reservation("a", [concurrent], amounts(1)))).rejects.toThrow(StoreUnavailable);
    await expect(broken.directory.find("acme")).rejects.toThrow(StoreUnavailable);
  });

  it("is asked once more where that can do no harm, and never for a reservation", async () => {
    const retryable = (): Error => Object.assign(new Error("moved"), { retryable: true });
    let calls = 0;
    const failOnce = (): void => {
      calls++;
      if (calls === 1) throw retryable();
    };
    const moved = openObjectStores(
      { TENANTS: brokenNamespace(failOnce), SHARDS: env.SHARDS, DIRECTORY: env.DIRECTORY, VIEW: env.VIEW },
      () => undefined,
    );
    expect(await moved.directory.find("acme")).toBeUndefined();
    expect(calls).toBe(2);
    calls = 0;
    await expect(moved.quota.reserve(reservation("a", [concurrent], amounts(1)))).rejects.toThrow(StoreUnavailable);
    expect(calls).toBe(1);
  });
});

/** A namespace whose objects fail as workerd's do when they are moved or gone; without `fail`, always. */
function brokenNamespace(
  fail: () => void = () => {
    throw new Error("gone");
  },
): typeof env.TENANTS {
  const get = (id: DurableObjectId): unknown =>
    new Proxy(env.TENANTS.get(id), {
      get:
        (stub, name) =>
        (...parameters: unknown[]) => {
          fail();
          return Reflect.apply(Reflect.get(stub, name), stub, parameters);
        },
    });
  const namespace: unknown = { idFromName: (name: string) => env.TENANTS.idFromName(name), get };
  return namespace as typeof env.TENANTS;
}
