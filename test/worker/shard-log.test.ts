import { reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { AppliedLimit } from "../../src/quota/limit.ts";
import { readWorkerLogKeys } from "../../src/runtime/worker/log-key.ts";
import { shardsPerTenant } from "../../src/runtime/worker/object-stubs.ts";
import type { ShardObject } from "../../src/runtime/worker/shard-object.ts";
import { openObjectStores } from "../../src/runtime/worker/stores.ts";
import { TenantObject } from "../../src/runtime/worker/tenant-object.ts";
import { variablesOf } from "../../src/runtime/worker/variables.ts";
import { hex } from "../../src/tenant/key.ts";
import { auditLog, type ShownEntry } from "../../src/transparency/audit-log.ts";
import { openCheckpoint } from "../../src/transparency/checkpoint.ts";
import type { LogKey } from "../../src/transparency/log-keys.ts";
import { MerkleHasher } from "../../src/transparency/merkle.ts";
import { verifyReceiptProof } from "../../src/transparency/receipt-proof.ts";
import { amounts, apply, limit, receipt, reservation } from "../stores/samples.ts";
import { sha256Bytes } from "../transparency/sha256.ts";

const stores = openObjectStores(env, () => undefined);
const acmeLog = stores.logOf("acme");
const leaseMs = 60_000;

function limits(): readonly AppliedLimit[] {
  const { setting } = limit("daily", "tokens", "day", 1_000_000);
  return [apply({ ...setting, slices: true }, "", undefined, Date.now())];
}

const acme = (): DurableObjectStub<TenantObject> => env.TENANTS.get(env.TENANTS.idFromName("acme"));
const shards = (): DurableObjectStub<ShardObject>[] =>
  Array.from({ length: shardsPerTenant }, (_, index) => env.SHARDS.get(env.SHARDS.idFromName(`acme#${index}`)));

/** So many that each shard has some. */
const many = (count = 40): string[] => Array.from({ length: count }, (_, index) => `r-${index}`);

const intentOf = (id: string): string => JSON.stringify(receipt(id, { end: "unsettled", startedAtMs: Date.now() }));

async function reserve(ids: readonly string[], intent = intentOf): Promise<void> {
  for (const id of ids) {
    const outcome = await stores.quota.reserve(reservation(id, limits(), amounts(100), { leaseMs, intent: intent(id) }));
    expect(outcome.admitted).toBe(true);
  }
}

async function close(ids: readonly string[]): Promise<void> {
  for (const id of ids) await stores.books.close(receipt(id), { id, tenantId: "acme", charge: amounts(10) });
}

async function ringShards(): Promise<void> {
  for (const shard of shards()) await runDurableObjectAlarm(shard);
}

/** What no gateway settled is swept, by a shard or, where no slice was there yet, by the tenant's object. */
async function sweep(): Promise<void> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + leaseMs });
  await ringShards();
  await runDurableObjectAlarm(acme());
}

/** Drops all that an object has in memory, whatever it is at. */
async function kill<Killed extends ShardObject | TenantObject>(object: DurableObjectStub<Killed>): Promise<void> {
  const killed = runInDurableObject(object, (_, state) => state.abort("killed by a test"));
  await expect(killed).rejects.toThrow("killed by a test");
}

/** After so many calls, each call of the tenant's object breaks: before it did anything, or when only its answer was missing. */
function breaking(method: "take" | "append", when: "before" | "after", calls = 0): { readonly mockRestore: () => void } {
  const methods: unknown = TenantObject.prototype;
  const original = (methods as Record<typeof method, (one: unknown) => Promise<void>>)[method];
  let left = calls;
  return vi.spyOn(TenantObject.prototype, method).mockImplementation(async function (this: TenantObject, one: unknown) {
    const isBroken = left-- <= 0;
    if (!isBroken || when === "after") await original.call(this, one);
    if (isBroken) throw new Error("broken by a test");
  });
}

async function publicKeys(): Promise<readonly LogKey[]> {
  const read = await readWorkerLogKeys(variablesOf(env));
  return read.ok ? read.keys.keys : [];
}

async function entries(): Promise<readonly ShownEntry[]> {
  return acmeLog.shown(0, 10_000);
}

async function requestsInTree(): Promise<string[]> {
  const documents = (await entries()).map(({ document }) => JSON.parse(document ?? "") as { readonly requestId: string });
  return documents.map(({ requestId }) => requestId).toSorted();
}

/** Each of these has a proof that whoever has the public keys can check, and the tree is what its checkpoint signed. */
async function expectProved(ids: readonly string[], end = "completed"): Promise<void> {
  const keys = await publicKeys();
  for (const id of ids) {
    const verdict = await verifyReceiptProof(JSON.stringify(await acmeLog.prove("acme", id)), keys, sha256Bytes);
    expect(verdict).toMatchObject({ ok: true, receipt: { requestId: id, end } });
  }
  const opened = await openCheckpoint((await acmeLog.checkpoint()).note, keys, sha256Bytes);
  if (!opened.ok) throw new Error(opened.problem);
  const shown = await entries();
  const pages = (async function* () {
    yield shown;
  })();
  expect(await auditLog(pages, [opened.checkpoint], sha256Bytes)).toEqual({
    entries: shown.length,
    forgotten: 0,
    seesDropped: true,
    problems: [],
  });
}

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await reset();
});

describe("receipts of a tenant's shards", { timeout: 30_000 }, () => {
  it("are in the tenant's one tree, each once, a moment after the answer", async () => {
    const ids = many();
    await reserve(ids);
    await close(ids);
    await ringShards();
    await runDurableObjectAlarm(acme());
    expect(await requestsInTree()).toEqual(ids.toSorted());
    await expectProved(ids);
    expect(await requestsInTree()).toEqual(ids.toSorted());
  });

  it("are proved as soon as the answer is there, before any shard handed over by itself", async () => {
    const ids = many(8);
    await reserve(ids);
    // No alarm of a shard's gets anything across meanwhile.
    const away = breaking("take", "before");
    await close(ids);
    away.mockRestore();
    await expectProved(ids);
    expect(await requestsInTree()).toEqual(ids.toSorted());
    expect(await acmeLog.prove("acme", "nobody")).toBe("absent");
  });

  it("come in once where what was taken is handed over again, by a shard that died before it noted it", async () => {
    const ids = many();
    await reserve(ids);
    await close(ids);
    const broken = breaking("take", "after");
    await ringShards();
    expect((await stores.journal.list("acme", undefined, 1_000)).length).toBe(ids.length);
    for (const shard of shards()) await kill(shard);
    await kill(acme());
    await ringShards();
    broken.mockRestore();
    await ringShards();
    await expectProved(ids);
    expect(await requestsInTree()).toEqual(ids.toSorted());
  });

  it("come in whole where a shard or the tenant's object dies midway through them", async () => {
    const ids = many(400);
    await reserve(ids);
    await close(ids);
    const broken = breaking("append", "before", 130);
    await ringShards();
    expect((await stores.journal.list("acme", undefined, 1_000)).length).toBe(130);
    for (const shard of shards()) await kill(shard);
    await kill(acme());
    broken.mockRestore();
    await ringShards();
    await expectProved(ids.slice(0, 20));
    expect(await requestsInTree()).toEqual(ids.toSorted());
  });

  it("come in while several ask for them at the same time", async () => {
    const ids = many();
    await reserve(ids);
    await close(ids);
    const proofs = await Promise.all([
      ...ids.map((id) => acmeLog.prove("acme", id)),
      ...shards().map((shard) => shard.handOver()),
    ]);
    expect(proofs.filter((proof) => typeof proof === "string")).toEqual([]);
    expect(await requestsInTree()).toEqual(ids.toSorted());
  });

  it("stay beside what corrects them, though both were written before the tenant's object could be reached", async () => {
    const ids = many();
    await reserve(ids);
    const away = breaking("take", "before");
    await sweep();
    await close(ids);
    away.mockRestore();
    await ringShards();
    await expectProved(ids);
    expect(await requestsInTree()).toEqual([...ids, ...ids].toSorted());
    const hasher = new MerkleHasher(sha256Bytes);
    const documents = (await entries()).map(({ document }) => document ?? "");
    for (const id of ids) {
      const [earlier = "", later = ""] = documents.filter((text) => (JSON.parse(text) as { requestId: string }).requestId === id);
      expect(JSON.parse(earlier)).toMatchObject({ end: "unsettled" });
      expect(JSON.parse(later)).toMatchObject({ corrects: hex(hasher.leafOfText(earlier)) });
    }
  });

  it("are proved with the end that a gateway reported late, where the tenant's object has them unsettled", async () => {
    const ids = many(8);
    await reserve(ids);
    await sweep();
    await expectProved(ids, "unsettled");
    const away = breaking("take", "before");
    await close(ids);
    expect((await stores.journal.find("acme", "r-0"))?.end).toBe("completed");
    away.mockRestore();
    await expectProved(ids);
  });

  it("come in though a sweep fails at what cannot be read", async () => {
    const ids = many();
    await reserve(ids);
    await reserve(
      ids.map((id) => `broken-${id}`),
      () => "{",
    );
    await close(ids);
    await sweep();
    await runDurableObjectAlarm(acme());
    expect(await requestsInTree()).toEqual(ids.toSorted());
  });
});
