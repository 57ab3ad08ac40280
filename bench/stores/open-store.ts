import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { QuotaStore } from "../../src/quota/store.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { log } from "../../src/runtime/node/log.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { baseOf, bucketCount, bucketOf } from "../../src/runtime/node/valkey-wire.ts";
import { openValkeyQuota } from "../../src/runtime/node/valkey.ts";
import type { StoreOrder } from "./order.ts";
import { benchLimits, charge, reservation, templateTenant, tenantAt } from "./tenants.ts";

export interface OpenStore {
  readonly quota: QuotaStore;
  /** Calls and pieces that the server has seen so far. */
  seen(): Promise<{ readonly calls: number; readonly pieces: number }>;
}

/** Opens a store that has the counters of so many tenants in it. */
export function openStore({ kind, place, tenants }: StoreOrder): Promise<OpenStore> {
  return kind === "sqlite" ? openSqlite(place, tenants) : openValkey(place, tenants);
}

async function openSqlite(folder: string, tenants: number): Promise<OpenStore> {
  const first = openSqliteStores(folder, systemClock);
  await useOnce(first.quota, templateTenant);
  first.close();
  const database = new DatabaseSync(join(folder, "ledger.sqlite"));
  // One by one through the store, a million would take minutes.
  database
    .prepare(
      `WITH RECURSIVE number (value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM number WHERE value + 1 < ?)
       INSERT INTO counter_group (tenant_id, scope, counters, idle_at_ms)
       SELECT printf('bench_%08d', value), scope, counters, idle_at_ms FROM number, (SELECT * FROM counter_group WHERE tenant_id = ?)`,
    )
    .run(tenants, templateTenant);
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  const { quota } = openSqliteStores(folder, systemClock, { exclusive: true, checkpointThread: true });
  return { quota, seen: () => Promise.resolve({ calls: 0, pieces: 0 }) };
}

/** Copies what keys the template has to each of `ARGV`; their names are those that `valkey-counters.lua` tells of. */
const copies = `
  for index = 2, #ARGV do
    for _, rest in ipairs({ ':b', ':c', ':c|key=key_bench' }) do
      redis.call('COPY', KEYS[1] .. ':' .. ARGV[1] .. rest, KEYS[1] .. ':' .. ARGV[index] .. rest)
    end
  end`;
const copiesAtOnce = 1_000;

async function openValkey(address: string, tenants: number): Promise<OpenStore> {
  const { quota } = await openValkeyQuota(address, log);
  const client = new Redis(address);
  const buckets: string[][] = Array.from({ length: bucketCount }, () => []);
  for (let index = 0; index < tenants; index += 1) buckets[bucketOf(tenantAt(index))]?.push(tenantAt(index));
  for (const [bucket, ids] of buckets.entries()) {
    const [first] = ids;
    if (first === undefined) continue;
    await useOnce(quota, first);
    for (let from = 1; from < ids.length; from += copiesAtOnce)
      await client.eval(copies, 1, baseOf(bucket), first, ...ids.slice(from, from + copiesAtOnce));
  }
  return {
    quota,
    async seen() {
      const stats = await client.info("stats");
      const commands = await client.info("commandstats");
      return { calls: numberIn(commands, /cmdstat_fcall:calls=(\d+)/), pieces: numberIn(stats, /total_reads_processed:(\d+)/) };
    },
  };
}

async function useOnce(quota: QuotaStore, tenantId: string): Promise<void> {
  const id = `req_fill_${tenantId}`;
  await quota.reserve(reservation(id, tenantId, benchLimits(systemClock.nowMs())));
  await quota.settle({ id, tenantId, charge });
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? 0);
}
