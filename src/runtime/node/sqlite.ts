import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { BundleRecords } from "../../bundle/loaded-bundles.ts";
import type { Clock } from "../../clock.ts";
import type { Books, Journal, RefusalJournal } from "../../ledger/journal.ts";
import type { JournalReader, ReservationReader } from "../../ledger/journal-reader.ts";
import type { QuotaStore } from "../../quota/store.ts";
import type { DirectoryAdmin } from "../../tenant/directory.ts";
import type { LogStore } from "../../transparency/log-store.ts";
import { MerkleHasher } from "../../transparency/merkle.ts";
import type { RetentionStore } from "../../retention/retention-store.ts";
import { closeBooks } from "../sql/books.ts";
import { migrate } from "../sql/database.ts";
import { SqlJournal } from "../sql/journal.ts";
import { SqlKeyUse } from "../sql/key-use.ts";
import { SqlQuota } from "../sql/quota.ts";
import { SqlRefusals } from "../sql/refusals.ts";
import { directoryMigrations, ledgerMigrations } from "../sql/schema.ts";
import { SqlTree } from "../sql/tree.ts";
import { hashes } from "./hashes.ts";
import { SqliteBatcher } from "./sqlite-batcher.ts";
import { SqliteBundles } from "./sqlite-bundles.ts";
import { asStoreError, SqliteDatabase, type SqliteOptions } from "./sqlite-database.ts";
import { SqliteCheckpointer } from "./sqlite-checkpointer.ts";
import { SqliteDirectory } from "./sqlite-directory.ts";
import { ownDirectory } from "./sqlite-owner.ts";
import { sqliteRetention } from "./sqlite-retention.ts";
import { SqliteReader } from "./sqlite-reader.ts";

/** The embedded stores: two SQLite files that several processes of one machine may share. */
export interface SqliteStores {
  readonly quota: QuotaStore;
  readonly journal: Journal;
  /** Receipt and settlement in one transaction. */
  readonly books: Books;
  /** What was refused; and the tree over both. */
  readonly refusals: RefusalJournal;
  readonly tree: LogStore;
  readonly directory: DirectoryAdmin;
  readonly bundles: BundleRecords;
  readonly reader: JournalReader;
  readonly reservations: ReservationReader;
  /** All reservations whose receipt is not yet in the journal, of all processes of this machine. */
  awaited(): Promise<readonly { readonly tenantId: string; readonly id: string }[]>;
  readonly retention: RetentionStore;
  /** Sums up what came since the last time, so that the next question about usage is quickly answered. */
  sumUp(): Promise<void>;
  /** Writes what is queued and closes the files. What is asked for afterwards is refused with `StoreUnavailable`. */
  close(): void;
}

const defaults: SqliteOptions = { synchronous: "normal", busyTimeoutMs: 5_000, exclusive: false, checkpointThread: false };

/**
 * Opens `ledger.sqlite` (limits, reservations, receipts) and `directory.sqlite` (tenants, audit, loaded bundles) in `dataDir`, which is
 * made where it is missing, readable by this user alone.
 */
export function openSqliteStores(dataDir: string, clock: Clock, options: Partial<SqliteOptions> = {}): SqliteStores {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const settings = { ...defaults, ...options };
  const disown = settings.exclusive ? ownDirectory(dataDir) : undefined;
  const ledger = new SqliteDatabase(join(dataDir, "ledger.sqlite"), settings);
  // Written so seldom that its log is short.
  const tenants = new SqliteDatabase(join(dataDir, "directory.sqlite"), { ...settings, checkpointThread: false });
  ledger.transact(() => migrate(ledger, "ledger", ledgerMigrations));
  tenants.transact(() => migrate(tenants, "directory", directoryMigrations));

  const quota = new SqlQuota(ledger);
  const hasher = new MerkleHasher(hashes.sha256Bytes);
  const journal = new SqlJournal(ledger, hasher);
  const batcher = new SqliteBatcher(ledger, quota, settings.busyTimeoutMs);
  const directory = new SqliteDirectory(tenants, new SqlKeyUse(ledger), batcher, clock);
  const reader = new SqliteReader(ledger, batcher, clock);
  const checkpointer = settings.checkpointThread ? new SqliteCheckpointer(join(dataDir, "ledger.sqlite")) : undefined;
  let closed = false;
  return {
    quota: quotaStore(quota, batcher, clock),
    journal: journalOn(journal, batcher),
    books: { close: (receipt, settlement) => batcher.run(() => closeBooks(journal, quota, receipt, settlement, clock.nowMs())) },
    refusals: refusalsOn(new SqlRefusals(ledger), batcher),
    tree: treeOn(new SqlTree(ledger, hasher), batcher),
    directory,
    bundles: new SqliteBundles(tenants),
    reader,
    reservations: reader,
    awaited: () => reader.awaited(),
    retention: sqliteRetention(ledger, tenants, batcher, clock),
    sumUp: () => reader.keepUp(),
    close() {
      if (closed) return;
      closed = true;
      reader.close();
      directory.close();
      batcher.close();
      checkpointer?.close();
      ledger.close();
      tenants.close();
      disown?.();
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
async function read<T>(work: () => T): Promise<T> {
  try {
    return work();
  } catch (error) {
    throw asStoreError(error);
  }
}

function journalOn(journal: SqlJournal, batcher: SqliteBatcher): Journal {
  return {
    append: (receipt) => batcher.run(() => journal.append(receipt)),
    find: (tenantId, requestId) => read(() => journal.find(tenantId, requestId)),
    list: (tenantId, beforeMs, count) => read(() => journal.list(tenantId, beforeMs, count)),
    findResponse: (tenantId, responseId) => read(() => journal.findResponse(tenantId, responseId)),
  };
}

function refusalsOn(refusals: SqlRefusals, batcher: SqliteBatcher): RefusalJournal {
  return {
    append: (refusal) => batcher.run(() => refusals.append(refusal)),
    find: (tenantId, requestId) => read(() => refusals.find(tenantId, requestId)),
  };
}

/** Several processes may integrate at once: each does it under the file's lock, and finds what the others did. */
function treeOn(tree: SqlTree, batcher: SqliteBatcher): LogStore {
  return {
    origin: () => read(() => tree.origin()),
    size: () => read(() => tree.size()),
    integrate: (most) => batcher.run(() => tree.integrate(most)),
    tile: (level, index) => read(() => tree.tile(level, index)),
    place: (tenantId, requestId) => read(() => tree.place(tenantId, requestId)),
    entries: (from, count) => read(() => tree.entries(from, count)),
    checkpoint: (size) => read(() => tree.checkpoint(size)),
    keepCheckpoint: (checkpoint) => batcher.run(() => tree.keepCheckpoint(checkpoint)),
  };
}
