import { evictAllDurableObjects, evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { RetentionOrder } from "../../src/control/retention.ts";
import type { RetentionRun } from "../../src/retention/retention-run.ts";
import type { RetentionTerm } from "../../src/retention/retention-terms.ts";
import { systemEntropy } from "../../src/runtime/worker/clock.ts";
import type { DirectoryObject } from "../../src/runtime/worker/directory-object.ts";
import { objectRetention } from "../../src/runtime/worker/object-retention.ts";
import { directoryObjectName, directoryOf, shardsPerTenant, tenantOf } from "../../src/runtime/worker/object-stubs.ts";
import { QueryView } from "../../src/runtime/worker/query-view.ts";
import { openObjectStores } from "../../src/runtime/worker/stores.ts";
import { ShardObject } from "../../src/runtime/worker/shard-object.ts";
import { TenantObject } from "../../src/runtime/worker/tenant-object.ts";
import { amounts, apply as applyLimit, auditEntry, directoryEntry, limit, receipt, reservation } from "../stores/samples.ts";
import { refusal } from "../transparency/log-fixture.ts";
import { auditOf } from "../retention/audit-of.ts";

const longAgo = Date.parse("2015-01-01T00:00:00Z");
const dueMs = Date.parse("2016-01-01T00:00:00Z");
const everything = { tenantId: undefined, fromMs: 0, toMs: Date.parse("2100-01-01T00:00:00Z") };

const stores = openObjectStores(env, () => undefined);
const retain = objectRetention(env, systemEntropy);
const directory = (): DurableObjectStub<DirectoryObject> => env.DIRECTORY.get(env.DIRECTORY.idFromName(directoryObjectName));
const tenant = (id: string): DurableObjectStub<TenantObject> => env.TENANTS.get(env.TENANTS.idFromName(id));

beforeEach(() => {
  // What fails is logged, as it should be.
  for (const level of ["warn", "error"] as const) vi.spyOn(console, level).mockImplementation(() => undefined);
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await reset();
});

function order(terms: readonly Partial<RetentionTerm>[] = [{}], dryRun = false): RetentionOrder {
  const whole = terms.map((term): RetentionTerm => ({
    kind: "receipts",
    className: "a-year",
    beforeMs: dueMs,
    models: undefined,
    ...term,
  }));
  return { terms: { policyVersion: "7", policyDigest: "digest", terms: whole }, dryRun, actor: "operator" };
}

/** A tenant with old receipts, signed and handed over. */
async function addTenant(id: string, old = 2): Promise<void> {
  await stores.directory.save(directoryEntry(id, 1), { ...auditEntry(`1_${id}`, id), at: new Date().toISOString() });
  for (let index = 0; index < old; index += 1)
    await stores.journal.append(receipt(`old${index}`, { tenantId: id, startedAtMs: longAgo + index, model: "gpt-4.1" }));
  if (old > 0) await runDurableObjectAlarm(tenant(id));
}

async function hold(id: string): Promise<void> {
  const { tenant: known } = directoryEntry(id, 2);
  const held = { ...directoryEntry(id, 2), tenant: { ...known, legalHold: { since: "2026-01-01T00:00:00Z", reason: "case 7" } } };
  expect(await stores.directory.save(held, auditEntry(`2_${id}`, id))).toBe(true);
}

async function inView(): Promise<readonly string[]> {
  const receipts = await stores.reader.scan({ ...everything, after: undefined, count: 1_000 });
  return receipts.map(({ tenantId, requestId }) => `${tenantId} ${requestId}`);
}

async function requests(tenantId?: string): Promise<number> {
  const rows = await stores.reader.usage({ ...everything, tenantId, by: [], timeZone: "UTC", most: 10 });
  return rows[0]?.sums.requests ?? 0;
}

function deletedBy(run: RetentionRun): number {
  return run.counts.reduce((sum, { deleted }) => sum + deleted, 0);
}

async function audited(): Promise<readonly unknown[]> {
  const entries = await stores.directory.audit("*", 10);
  return entries.filter(({ action }) => action === "retention.apply").map(({ actor, detail }) => ({ actor, ...detail }));
}

/** As it was before a spy took its place. */
function methodOf<Class, Name extends keyof Class>(prototype: Class, name: Name): Class[Name] {
  return prototype[name];
}

describe("the query view's copies", { timeout: 20_000 }, () => {
  it("go with the receipts, and the sums over them with the sums of their tenant", async () => {
    await addTenant("acme");
    await addTenant("other");
    await stores.journal.append(receipt("young", { startedAtMs: Date.now() }));
    await runDurableObjectAlarm(tenant("acme"));
    expect(await inView()).toHaveLength(5);
    expect(deletedBy(await retain(order()))).toBe(4);
    expect(await inView()).toEqual(["acme young"]);
    expect(await requests()).toBe(5);
    expect(deletedBy(await retain(order([{ kind: "usage" }])))).toBe(2);
    expect([await requests(), await requests("acme")]).toEqual([1, 1]);
  });

  it("are deleted first: where they cannot be, nothing is, and the run says so", async () => {
    await addTenant("acme");
    await stores.refusals.append(refusal("no", { startedAtMs: longAgo }));
    await runDurableObjectAlarm(tenant("acme"));
    const forget = vi.spyOn(QueryView.prototype, "forget").mockRejectedValue(new Error("away"));
    const run = await retain(order([{}, { kind: "refusals" }]));
    expect(run.failures).toEqual([{ kind: "receipts", tenantId: "acme", error: "Error: away" }]);
    expect(run.counts).toMatchObject([{ kind: "refusals", deleted: 1 }]);
    expect(await stores.journal.find("acme", "old0")).toBeDefined();
    expect(await audited()).toMatchObject([{ failed: ["receipts"], failedTenants: ["acme"] }]);
    forget.mockRestore();
    expect(deletedBy(await retain(order()))).toBe(2);
    expect(await inView()).toEqual([]);
  });

  it("come back where a hold was put on between the two", async () => {
    await addTenant("acme");
    const forget = methodOf(QueryView.prototype, "forget");
    const forgetSlices = methodOf(QueryView.prototype, "forgetSlices");
    vi.spyOn(QueryView.prototype, "forget").mockImplementation(async function (this: QueryView, ...parameters) {
      await forget.apply(this, parameters);
      expect(await inView()).toEqual([]);
      await hold("acme");
    });
    expect(deletedBy(await retain(order()))).toBe(0);
    expect(await inView()).toHaveLength(2);
    await stores.directory.save(directoryEntry("acme", 3), auditEntry("3", "acme"));
    vi.spyOn(QueryView.prototype, "forgetSlices").mockImplementation(async function (this: QueryView, ...parameters) {
      await forgetSlices.apply(this, parameters);
      expect(await requests()).toBe(0);
      const { tenant: known } = directoryEntry("acme", 4);
      const legalHold = { since: "2026-01-01T00:00:00Z", reason: "case 8" };
      await stores.directory.save({ ...directoryEntry("acme", 4), tenant: { ...known, legalHold } }, auditEntry("4", "acme"));
    });
    expect(deletedBy(await retain(order([{ kind: "usage" }])))).toBe(0);
    expect([await requests(), await requests("acme")]).toEqual([2, 2]);
  });

  it("come back where the object dies between the two, and its receipts are still there", async () => {
    await addTenant("acme");
    const forget = methodOf(QueryView.prototype, "forget");
    const died = vi.spyOn(QueryView.prototype, "forget").mockImplementation(async function (this: QueryView, ...parameters) {
      await forget.apply(this, parameters);
      throw new Error("died");
    });
    expect((await retain(order())).failures).toHaveLength(1);
    died.mockRestore();
    expect(await inView()).toEqual([]);
    await evictDurableObject(tenant("acme"));
    await stores.journal.append(receipt("young", { startedAtMs: Date.now() }));
    await runDurableObjectAlarm(tenant("acme"));
    expect(await inView()).toEqual(["acme old0", "acme old1", "acme young"]);
    expect(deletedBy(await retain(order()))).toBe(2);
    expect(await inView()).toEqual(["acme young"]);
  });
});

describe("a run over all tenants", { timeout: 20_000 }, () => {
  it("asks a few objects at a time, and each of them", async () => {
    const ids = Array.from({ length: 12 }, (_, index) => `tenant_${String(index).padStart(2, "0")}`);
    for (const id of ids) await addTenant(id, 1);
    let [atOnce, most] = [0, 0];
    const applyRetention = methodOf(TenantObject.prototype, "applyRetention");
    vi.spyOn(TenantObject.prototype, "applyRetention").mockImplementation(async function (this: TenantObject, ...parameters) {
      atOnce += 1;
      most = Math.max(most, atOnce);
      await new Promise((resolve) => setTimeout(resolve, 5));
      try {
        return await applyRetention.apply(this, parameters);
      } finally {
        atOnce -= 1;
      }
    });
    expect(deletedBy(await retain(order([{}], true)))).toBe(12);
    expect(deletedBy(await retain(order()))).toBe(12);
    expect([most, await inView()]).toEqual([8, []]);
  });

  it("comes back to a tenant that has more than is deleted in one go", async () => {
    await addTenant("acme", 0);
    await runInDurableObject(tenant("acme"), async (object) => {
      for (let index = 0; index < 2_300; index += 1)
        await object.append(receipt(`old${index}`, { startedAtMs: longAgo + index }));
    });
    await runDurableObjectAlarm(tenant("acme"));
    const steps = vi.spyOn(TenantObject.prototype, "applyRetention");
    const run = await retain(order([{}, { kind: "usage" }]));
    expect(run).toMatchObject({
      counts: [{ deleted: 2_300, oldestMs: longAgo, newestMs: longAgo + 2_299 }, { deleted: 1 }],
      failures: [],
    });
    expect(steps.mock.calls.map(([, , , at]) => at?.shelf)).toEqual([undefined, 0]);
    expect(await inView()).toEqual([]);
  });

  it("goes on with the others where one cannot be gone over, and says whose records are left", async () => {
    await addTenant("acme");
    await addTenant("other");
    const applyRetention = methodOf(TenantObject.prototype, "applyRetention");
    const fails = vi.spyOn(TenantObject.prototype, "applyRetention").mockImplementation(async function (
      this: TenantObject,
      ...parameters
    ) {
      if (parameters[0] === "acme") throw new Error("broken");
      return applyRetention.apply(this, parameters);
    });
    const run = await retain(order([{}, { kind: "audit" }]));
    expect(run.counts).toMatchObject([{ kind: "receipts", deleted: 2 }]);
    expect(run.failures).toMatchObject([{ kind: "receipts", tenantId: "acme" }]);
    expect(await audited()).toMatchObject([
      { actor: "operator", deleted: [{ records: "receipts", deleted: 2 }], failed: ["receipts"], failedTenants: ["acme"] },
    ]);
    fails.mockRestore();
    expect(deletedBy(await retain(order()))).toBe(2);
  });

  it("is gone on with by the alarm where nobody waits for it, also after every object was evicted", async () => {
    await addTenant("acme");
    await addTenant("other");
    await directoryOf(env).beginRetention("left", order());
    await evictAllDurableObjects();
    expect(await runDurableObjectAlarm(directory())).toBe(true);
    expect([await inView(), await audited()]).toMatchObject([[], [{ deleted: [{ deleted: 4 }] }]]);
    expect(deletedBy((await directoryOf(env).continueRetention("left")) as RetentionRun)).toBe(4);
  });

  it("comes after the one that is under way, and reports its own", async () => {
    await addTenant("acme");
    await directoryOf(env).beginRetention("earlier", order([{}], true));
    const runs = await Promise.all([retain(order()), retain(order())]);
    expect(runs.map(deletedBy).toSorted((a, b) => a - b)).toEqual([0, 2]);
    expect(await directoryOf(env).continueRetention("earlier")).toMatchObject({ counts: [{ deleted: 2 }] });
    expect(await audited()).toHaveLength(1);
  });

  it("deletes an entry of the audit wherever it is, and none that a hold keeps", async () => {
    await addTenant("acme", 0);
    await addTenant("other", 0);
    await hold("other");
    for (const id of ["acme", "other"])
      await tenantOf(env, id).save(directoryEntry(id, id === "acme" ? 2 : 3), {
        ...auditEntry(`old_${id}`, id),
        at: new Date(longAgo).toISOString(),
      });
    await tenantOf(env, "other").save(
      {
        ...directoryEntry("other", 4),
        tenant: { ...directoryEntry("other", 4).tenant, legalHold: { since: "", reason: "case 7" } },
      },
      auditEntry("4", "other"),
    );
    // An order that names a tenant changes nothing of it: its object knows nothing of that.
    await stores.directory.note({ ...auditEntry("order", "acme"), at: new Date(longAgo).toISOString() });
    expect((await stores.directory.audit("acme", 10)).map(({ id }) => id)).toContain("order");
    const run = await retain(order([{ kind: "audit" }]));
    expect(run.counts).toMatchObject([{ kind: "audit", deleted: 2, held: 1 }]);
    expect((await stores.directory.audit("acme", 10)).map(({ id }) => id)).toEqual(["1_acme"]);
    expect((await stores.directory.audit("other", 10)).map(({ id }) => id)).toContain("old_other");
    expect((await tenantOf(env, "acme").audit("acme", 10)).map(({ id }) => id)).toEqual(["1_acme"]);
  });
});

describe("the schedule", { timeout: 20_000 }, () => {
  const later = (byMs: number): void => void vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });

  it("deletes by the policy in force, once a day, on record", async () => {
    await addTenant("acme");
    expect(await runInDurableObject(directory(), (_, state) => state.storage.getAlarm())).toBeGreaterThan(Date.now() + 600_000);
    later(16 * 60_000);
    await runDurableObjectAlarm(directory());
    expect(await inView()).toEqual([]);
    expect(await audited()).toMatchObject([
      { actor: "gateway", deleted: [{ records: "receipts", deleted: 2 }, { records: "usage" }], failed: [] },
    ]);
    await stores.journal.append(receipt("late", { startedAtMs: longAgo, model: "gpt-4.1" }));
    await runDurableObjectAlarm(tenant("acme"));
    await runDurableObjectAlarm(directory());
    expect(await inView()).toEqual(["acme late"]);
    later(24 * 3_600_000);
    await runDurableObjectAlarm(directory());
    expect(await inView()).toEqual([]);
    expect(await runInDurableObject(directory(), (_, state) => state.storage.getAlarm())).not.toBeNull();
  });

  it("leaves time to put a tenant under a hold, also where an order rings the alarm before", async () => {
    await addTenant("acme");
    expect(deletedBy(await retain(order([{}], true)))).toBe(2);
    await runDurableObjectAlarm(directory());
    expect(await inView()).toHaveLength(2);
  });

  it("leaves a tenant under a legal hold alone", async () => {
    await addTenant("acme");
    await hold("acme");
    later(16 * 60_000);
    await runDurableObjectAlarm(directory());
    expect(await inView()).toHaveLength(2);
    expect(await audited()).toEqual([]);
  });
});

describe("receipts that went by a shard", { timeout: 20_000 }, () => {
  const settings = [limit("daily", "tokens", "day", 1_000_000)].map(({ setting }) => ({ ...setting, slices: true }));
  const shards = Array.from(
    { length: shardsPerTenant },
    (_, index) => () => env.SHARDS.get(env.SHARDS.idFromName(`acme#${index}`)),
  );

  const ids = (name: string): string[] => Array.from({ length: 30 }, (_, index) => `${name}-${index}`);

  async function exchange(requestIds: readonly string[]): Promise<void> {
    const limits = settings.map((setting) => applyLimit(setting, "", undefined, Date.now()));
    for (const id of requestIds) {
      await stores.quota.reserve(reservation(id, limits, amounts(100)));
      await stores.books.close(receipt(id, { startedAtMs: longAgo }), { id, tenantId: "acme", charge: amounts(10) });
    }
  }

  /** Handed over to the tenant's object, signed, and handed over to the view. */
  async function settle(): Promise<void> {
    for (const shard of shards) await runDurableObjectAlarm(shard());
    await runDurableObjectAlarm(tenant("acme"));
  }

  function inShards(): Promise<readonly number[]> {
    const count = "SELECT count(*) AS count FROM receipt";
    return Promise.all(
      shards.map((shard) =>
        runInDurableObject(shard(), (_, state) => state.storage.sql.exec<{ count: number }>(count).one().count),
      ),
    );
  }

  it("are deleted with all copies, and the log goes on as it was", async () => {
    await addTenant("acme", 0);
    await exchange(ids("first"));
    await settle();
    expect(deletedBy(await retain(order()))).toBe(30);
    expect(await inShards()).toEqual([0, 0, 0, 0]);
    for (const id of ids("first")) expect(await stores.journal.find("acme", id)).toBeUndefined();
    await exchange(ids("second"));
    await settle();
    expect(await inView()).toHaveLength(30);
    const log = stores.logOf("acme");
    const checkpoint = await log.checkpoint();
    expect(await auditOf({ ...log, advance: log.checkpoint }, [checkpoint])).toMatchObject({
      entries: 61,
      forgotten: 30,
      seesDropped: true,
      problems: [],
    });
  });

  it("come over first: a shard that is late brings nothing back, and one that cannot be reached keeps all of it", async () => {
    await addTenant("acme", 0);
    await exchange(ids("late"));
    const run = await retain(order());
    expect([deletedBy(run), await inShards()]).toEqual([0, [0, 0, 0, 0]]);
    await settle();
    const handOver = vi.spyOn(ShardObject.prototype, "handOver").mockRejectedValue(new Error("away"));
    expect((await retain(order())).failures).toMatchObject([{ kind: "receipts", tenantId: "acme" }]);
    handOver.mockRestore();
    expect(await stores.journal.list("acme", undefined, 100)).toHaveLength(30);
    expect(deletedBy(await retain(order()))).toBe(30);
  });
});
