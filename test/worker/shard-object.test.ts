import { reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { shardsPerTenant, tenantOf } from "../../src/runtime/worker/object-stubs.ts";
import { openObjectStores } from "../../src/runtime/worker/stores.ts";
import type { ShardObject } from "../../src/runtime/worker/shard-object.ts";
import { amounts, apply, auditEntry, directoryEntry, limit, receipt, reservation } from "../stores/samples.ts";

const stores = openObjectStores(env, () => undefined);
const settings: LimitSetting[] = [
  limit("daily", "tokens", "day", 1_000_000),
  limit("concurrent", "concurrent", "open", 10_000),
].map(({ setting }) => ({ ...setting, slices: true }));
const limits = () => settings.map((setting) => apply(setting, "", undefined, Date.now()));
const shards = (): DurableObjectStub<ShardObject>[] =>
  Array.from({ length: shardsPerTenant }, (_, index) => env.SHARDS.get(env.SHARDS.idFromName(`acme#${index}`)));

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await reset();
});

async function remaining(): Promise<readonly number[]> {
  return (await stores.quota.inspect("acme", limits())).map((state) => state.remaining);
}

async function reserve(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const intent = JSON.stringify(receipt(id, { end: "unsettled", startedAtMs: Date.now() }));
    const outcome = await stores.quota.reserve(reservation(id, limits(), amounts(100), { intent }));
    expect(outcome.admitted).toBe(true);
  }
}

async function close(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const charge = amounts(10);
    await stores.books.close(receipt(id, { startedAtMs: Date.now() }), { id, tenantId: "acme", charge });
  }
}

const many = (name: string, count = 120): string[] => Array.from({ length: count }, (_, index) => `${name}-${index}`);

/** Drops all that an object has in memory, whatever it is at. */
async function kill(shard: DurableObjectStub<ShardObject>): Promise<void> {
  const killed = runInDurableObject(shard, (_, state) => state.abort("killed by a test"));
  await expect(killed).rejects.toThrow("killed by a test");
}

/** Shards and then the tenant's object do what their alarms are for. */
async function ring(): Promise<void> {
  for (const shard of shards()) await runDurableObjectAlarm(shard);
}

describe("a tenant's shards", () => {
  it("spare the tenant's object most calls, and settle to the unit", { timeout: 20_000 }, async () => {
    const calls = vi.spyOn(
      await import("../../src/runtime/worker/tenant-object.ts").then((one) => one.TenantObject.prototype),
      "reserve",
    );
    const ids = many("r");
    await reserve(ids);
    expect(calls.mock.calls.length).toBeLessThan(ids.length * 0.7);
    await close(ids);
    await vi.waitUntil(async () => (await remaining())[0] === 1_000_000 - 1_200, { timeout: 8_000, interval: 100 });
    expect(await remaining()).toEqual([1_000_000 - 1_200, 10_000]);
  });

  it("have their receipts found at once, and listed once they were handed over", { timeout: 20_000 }, async () => {
    const ids = many("r", 60);
    await reserve(ids);
    await close(ids);
    for (const id of ids) expect((await stores.journal.find("acme", id))?.end).toBe("completed");
    await ring();
    const listed = await stores.journal.list("acme", undefined, 1_000);
    expect(listed.map(({ requestId }) => requestId).toSorted()).toEqual(ids.toSorted());
    for (const id of ids) expect((await stores.journal.find("acme", id))?.end).toBe("completed");
  });

  it("settle and record what was open when they died, and their slices are charged whole", { timeout: 20_000 }, async () => {
    const ids = many("r");
    await reserve(ids);
    for (const shard of shards()) await kill(shard);
    await close(ids);
    for (const id of ids) expect((await stores.journal.find("acme", id))?.end).toBe("completed");
    const [tokens = 0] = await remaining();
    expect(tokens).toBeLessThanOrEqual(1_000_000 - 1_200);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    await runDurableObjectAlarm(env.TENANTS.get(env.TENANTS.idFromName("acme")));
    expect((await remaining())[1]).toBe(10_000);
    await ring();
    const listed = await stores.journal.list("acme", undefined, 1_000);
    expect(listed).toHaveLength(ids.length);
    expect(listed.every(({ end }) => end === "completed")).toBe(true);
  });

  it("write down what no gateway is left to settle, once", { timeout: 20_000 }, async () => {
    const ids = many("r", 60);
    await reserve(ids);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    await ring();
    await runDurableObjectAlarm(env.TENANTS.get(env.TENANTS.idFromName("acme")));
    const listed = await stores.journal.list("acme", undefined, 1_000);
    expect(listed.map(({ requestId }) => requestId).toSorted()).toEqual(ids.toSorted());
    expect(listed.every(({ end }) => end === "unsettled")).toBe(true);
  });

  it("leave the tenant's entry to be read once a second, by each isolate", { timeout: 20_000 }, async () => {
    const finds = vi.spyOn((await import("../../src/runtime/worker/tenant-object.ts")).TenantObject.prototype, "find");
    const entry = { ...directoryEntry("acme", 1), limits: settings };
    await stores.directory.save(entry, auditEntry("1", "acme"));
    for (let index = 0; index < 50; index++) expect((await stores.directory.find("acme"))?.revision).toBe(1);
    expect(finds.mock.calls.length).toBeLessThan(10);
    await stores.directory.save({ ...entry, revision: 2 }, auditEntry("2", "acme"));
    expect((await stores.directory.find("acme"))?.revision).toBe(2);
    // A change that another isolate made.
    await tenantOf(env, "acme").save({ ...entry, revision: 3 }, auditEntry("3", "acme"));
    await vi.waitUntil(async () => (await stores.directory.find("acme"))?.revision === 3, { timeout: 3_000, interval: 100 });
    // A tenant that is not hot is read anew each time.
    await stores.directory.save({ ...entry, revision: 4, limits: [] }, auditEntry("4", "acme"));
    const before = finds.mock.calls.length;
    for (let index = 0; index < 5; index++) await stores.directory.find("acme");
    expect(finds.mock.calls.length).toBe(before + 5);
  });

  it("are not made by looking for what is not there", { timeout: 20_000 }, async () => {
    expect(await stores.journal.find("acme", "nothing")).toBeUndefined();
    expect(await stores.journal.findResponse("acme", "nothing")).toBeUndefined();
    for (const shard of shards()) expect(await runDurableObjectAlarm(shard)).toBe(false);
  });
});
