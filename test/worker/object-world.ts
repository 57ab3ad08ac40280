import { evictAllDurableObjects, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { vi } from "vitest";
import { tenantOf } from "../../src/runtime/worker/object-stubs.ts";
import { openObjectStores } from "../../src/runtime/worker/stores.ts";
import type { QuotaStore } from "../../src/quota/store.ts";
import { worldBeginsMs, type StoreWorld } from "../stores/store-world.ts";

const bindings = { TENANTS: env.UNSWEPT, DIRECTORY: env.DIRECTORY };

/** The tenants of the contract suites: each object takes back its own, and nobody asks across them. */
const tenants = ["acme", "other"];

/** Durable Objects as a contract suite takes them: `restart` evicts every one of them. */
export async function objectWorld(): Promise<StoreWorld> {
  vi.useFakeTimers({ toFake: ["Date"], now: worldBeginsMs });
  const later: Promise<unknown>[] = [];
  const settled = async (): Promise<void> => void (await Promise.all(later.splice(0)));
  let stores = openObjectStores(bindings, (work) => later.push(work));

  const expire: QuotaStore["expire"] = async (count) => {
    const expired = [];
    for (const tenant of tenants) expired.push(...(await tenantOf(bindings, tenant).expire(count - expired.length)));
    return expired;
  };

  return {
    quota: {
      reserve: (request) => stores.quota.reserve(request),
      settle: (settlement) => stores.quota.settle(settlement),
      renew: (tenantId, ids, leaseMs) => stores.quota.renew(tenantId, ids, leaseMs),
      expire,
      recorded: (tenantId, ids) => stores.quota.recorded(tenantId, ids),
      inspect: (tenantId, limits) => stores.quota.inspect(tenantId, limits),
    },
    get journal() {
      return stores.journal;
    },
    get books() {
      return stores.books;
    },
    get directory() {
      return stores.directory;
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
