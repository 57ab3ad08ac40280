import type { QuotaStore } from "../../src/quota/store.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { SqlQuota } from "../../src/runtime/sql/quota.ts";
import { ledgerMigrations } from "../../src/runtime/sql/schema.ts";

export interface MemoryQuota extends QuotaStore {
  close(): void;
}

/** The quota store on a database of its own in memory; each call is decided before it returns. */
export function memoryQuota(nowMs: () => number): MemoryQuota {
  const database = new SqliteDatabase(":memory:", {
    synchronous: "normal",
    busyTimeoutMs: 0,
    exclusive: false,
    checkpointThread: false,
  });
  migrate(database, "ledger", ledgerMigrations);
  const quota = new SqlQuota(database);
  const transact = async <Result>(work: () => Result): Promise<Result> => {
    try {
      return database.transact(() => {
        const result = work();
        quota.flush();
        return result;
      });
    } catch (error) {
      quota.forget();
      throw error;
    }
  };
  return {
    reserve: (request) => transact(() => quota.reserve(request, nowMs())),
    settle: (settlement) => transact(() => quota.settle(settlement, nowMs())),
    renew: (tenantId, ids, leaseMs) => transact(() => quota.renew(tenantId, ids, leaseMs, nowMs())),
    expire: (count) => transact(() => quota.expire(count, nowMs())),
    recorded: (tenantId, ids) => transact(() => quota.recorded(tenantId, ids)),
    inspect: (tenantId, limits) => transact(() => quota.inspect(tenantId, limits, nowMs())),
    close: () => database.close(),
  };
}
