import { evictAllDurableObjects, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { systemEntropy } from "../../src/runtime/worker/clock.ts";
import { objectRetention } from "../../src/runtime/worker/object-retention.ts";
import { tenantOf } from "../../src/runtime/worker/object-stubs.ts";
import { openObjectStores } from "../../src/runtime/worker/stores.ts";
import type { QuotaStore } from "../../src/quota/store.ts";
import type { JournalReader } from "../../src/ledger/journal-reader.ts";
import type { LogStore } from "../../src/transparency/log-store.ts";
import { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import { logKeys, newKey, publicKeys } from "../transparency/log-fixture.ts";
import { sha256Bytes } from "../transparency/sha256.ts";
import { worldBeginsMs, type BundleWorld, type LogWorld, type RetentionWorld } from "../stores/store-world.ts";
import type { UnsweptTenantObject } from "./worker-under-test.ts";

const bindings = { TENANTS: env.UNSWEPT, SHARDS: env.UNSWEPT_SHARDS, DIRECTORY: env.UNSCHEDULED, VIEW: env.VIEW };

/** The tenants of the contract suites: each object takes back its own, and nobody asks across them. */
const tenants = ["acme", "other"];

/** Durable Objects as a contract suite takes them: `restart` evicts every one of them. */
export async function objectWorld(): Promise<RetentionWorld & LogWorld & BundleWorld> {
  vi.useFakeTimers({ toFake: ["Date"], now: worldBeginsMs });
  const later: Promise<unknown>[] = [];
  const settled = async (): Promise<void> => void (await Promise.all(later.splice(0)));
  let stores = openObjectStores(bindings, (work) => later.push(work));

  const expire: QuotaStore["expire"] = async (count) => {
    const expired = [];
    for (const tenant of tenants) expired.push(...(await tenantOf(bindings, tenant).expire(count - expired.length)));
    return expired;
  };

  const active = new Set<string>();
  const at = <Call>(tenantId: string, call: Call): Call => {
    active.add(tenantId);
    return call;
  };
  /** Across tenants the view answers, once every object has handed over, as it does every few seconds. */
  const handedOver = async (): Promise<JournalReader> => {
    for (const tenantId of active) {
      const more = await env.UNSWEPT.get(env.UNSWEPT.idFromName(tenantId)).handOverNow();
      if (!more) active.delete(tenantId);
    }
    return stores.reader;
  };

  const key = await newKey();
  const logs = new Map<string, TransparencyLog>();
  const keys = await logKeys(key);

  return {
    quota: {
      reserve: (request) => at(request.tenantId, stores.quota).reserve(request),
      settle: (settlement) => stores.quota.settle(settlement),
      renew: (tenantId, ids, leaseMs) => stores.quota.renew(tenantId, ids, leaseMs),
      expire,
      recorded: (tenantId, ids) => stores.quota.recorded(tenantId, ids),
      inspect: (tenantId, limits) => stores.quota.inspect(tenantId, limits),
    },
    journal: {
      append: (receipt) => at(receipt.tenantId, stores.journal).append(receipt),
      find: (tenantId, requestId) => stores.journal.find(tenantId, requestId),
      list: (tenantId, beforeMs, count) => stores.journal.list(tenantId, beforeMs, count),
      findResponse: (tenantId, responseId) => stores.journal.findResponse(tenantId, responseId),
    },
    refusals: {
      append: (refusal) => stores.refusals.append(refusal),
      find: (tenantId, requestId) => stores.refusals.find(tenantId, requestId),
    },
    tree: treeOf("acme"),
    applyRetention: objectRetention(bindings, systemEntropy),
    log(tenantId) {
      const log = logs.get(tenantId) ?? new TransparencyLog(treeOf(tenantId), keys, { nowMs: () => Date.now() }, sha256Bytes);
      logs.set(tenantId, log);
      return log;
    },
    publicKeys: publicKeys(key),
    books: { close: (receipt, settlement) => at(receipt.tenantId, stores.books).close(receipt, settlement) },
    reader: {
      scan: async (query) => (await handedOver()).scan(query),
      scanRefusals: (query) => stores.reader.scanRefusals(query),
      usage: async (query) => (await handedOver()).usage(query),
      completeUntilMs: async () => (await handedOver()).completeUntilMs(),
    },
    reservations: { open: (tenantId) => stores.reservations.open(tenantId) },
    sumUp: async () => void (await handedOver()),
    get directory() {
      return stores.directory;
    },
    get bundles() {
      return stores.bundles;
    },
    nowMs: () => Date.now(),
    advance: async (byMs) => {
      await settled();
      vi.setSystemTime(Date.now() + byMs);
    },
    restart: async () => {
      await settled();
      await evictAllDurableObjects();
      stores = openObjectStores(bindings, (work) => later.push(work));
    },
    close: async () => {
      await settled();
      vi.useRealTimers();
      await reset();
    },
  };
}

/** A tenant's tree; the suite's records are all of that tenant. */
function treeOf(tenantId: string): LogStore {
  const call = <Method extends keyof LogStore>(
    method: Method,
    ...parameters: Parameters<LogStore[Method]>
  ): ReturnType<LogStore[Method]> => {
    const stub: unknown = env.UNSWEPT.get(env.UNSWEPT.idFromName(tenantId));
    return (stub as UnsweptTenantObject).callTree(method, parameters) as ReturnType<LogStore[Method]>;
  };
  return {
    origin: () => call("origin"),
    size: () => call("size"),
    integrate: (most) => call("integrate", most),
    tile: (level, index) => call("tile", level, index),
    place: (tenant, requestId) => call("place", tenant, requestId),
    entries: (from, count) => call("entries", from, count),
    checkpoint: (size) => call("checkpoint", size),
    keepCheckpoint: (checkpoint) => call("keepCheckpoint", checkpoint),
  };
}
