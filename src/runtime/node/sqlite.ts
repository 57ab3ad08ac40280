import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { Books, Journal } from "../../ledger/journal.ts";
import { StoreUnavailable, type QuotaStore } from "../../quota/store.ts";
import type { DirectoryAdmin } from "../../tenant/directory.ts";
import { closeBooks } from "../sql/books.ts";
import { migrate } from "../sql/database.ts";
import { SqlJournal } from "../sql/journal.ts";
import { SqlKeyUse } from "../sql/key-use.ts";
import { SqlQuota } from "../sql/quota.ts";
import { directoryMigrations, ledgerMigrations } from "../sql/schema.ts";
import { SqliteBatcher } from "./sqlite-batcher.ts";
import { asStoreError, isBusy, SqliteDatabase, type SqliteOptions } from "./sqlite-database.ts";
import { SqliteDirectory } from "./sqlite-directory.ts";

/** The embedded stores: two SQLite files that several processes of one machine may share. */
export interface SqliteStores {
  readonly quota: QuotaStore;
  readonly journal: Journal;
  /** Receipt and settlement in one transaction. */
  readonly books: Books;
  readonly directory: DirectoryAdmin;
  /** Writes what is queued and closes the files. What is asked for afterwards is refused with `StoreUnavailable`. */
  close(): void;
}

const defaults: SqliteOptions = { synchronous: "normal", busyTimeoutMs: 5_000, exclusive: false };

/**
 * Opens `ledger.sqlite` (limits, reservations, receipts) and `directory.sqlite` (tenants, audit) in `dataDir`, which is
 * made where it is missing, readable by this user alone.
 */
export function openSqliteStores(dataDir: string, clock: Clock, options: Partial<SqliteOptions> = {}): SqliteStores {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const settings = { ...defaults, ...options };
  const ledger = openDatabase(join(dataDir, "ledger.sqlite"), settings);
  const tenants = openDatabase(join(dataDir, "directory.sqlite"), settings);
  ledger.transact(() => migrate(ledger, "ledger", ledgerMigrations));
  tenants.transact(() => migrate(tenants, "directory", directoryMigrations));

  const quota = new SqlQuota(ledger);
  const journal = new SqlJournal(ledger);
  const batcher = new SqliteBatcher(ledger, quota, settings.busyTimeoutMs);
  const directory = new SqliteDirectory(tenants, new SqlKeyUse(ledger), batcher, clock);
  let closed = false;
  return {
    quota: quotaStore(quota, batcher, clock),
    journal: journalOn(journal, batcher),
    books: { close: (receipt, settlement) => batcher.run(() => closeBooks(journal, quota, receipt, settlement, clock.nowMs())) },
    directory,
    close() {
      if (closed) return;
      closed = true;
      directory.close();
      batcher.close();
      ledger.close();
      tenants.close();
    },
  };
}

function quotaStore(quota: SqlQuota, batcher: SqliteBatcher, clock: Clock): QuotaStore {
  return {
    reserve: (request) => batcher.run(() => quota.reserve(request, clock.nowMs())),
    settle: (settlement) => batcher.run(() => quota.settle(settlement, clock.nowMs())),
    renew: (tenantId, ids, leaseMs) => batcher.run(() => quota.renew(tenantId, ids, leaseMs, clock.nowMs())),
    expire: (count) => batcher.run(() => quota.expire(count, clock.nowMs())),
    recorded: (tenantId, ids) => batcher.run(() => quota.recorded(tenantId, ids)),
    inspect: (tenantId, limits) => batcher.run(() => quota.inspect(tenantId, limits, clock.nowMs())),
  };
}

/** Reads need no lock: the log shows them what was committed, which is all that anybody was told of. */
function journalOn(journal: SqlJournal, batcher: SqliteBatcher): Journal {
  const read = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (error) {
      throw asStoreError(error);
    }
  };
  return {
    append: (receipt) => batcher.run(() => journal.append(receipt)),
    find: (tenantId, requestId) => read(() => journal.find(tenantId, requestId)),
    list: (tenantId, beforeMs, count) => read(() => journal.list(tenantId, beforeMs, count)),
    findResponse: (tenantId, responseId) => read(() => journal.findResponse(tenantId, responseId)),
  };
}

function openDatabase(path: string, options: SqliteOptions): SqliteDatabase {
  try {
    return new SqliteDatabase(path, options);
  } catch (error) {
    if (!isBusy(error)) throw error;
    throw new StoreUnavailable(`${path} is in use by another gateway. Stop it, or give this one a STRAIT_DATA_DIR of its own.`, { cause: error });
  }
}
