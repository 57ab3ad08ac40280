import type { BundleRecords } from "../../bundle/loaded-bundles.ts";
import type { Clock } from "../../clock.ts";
import type { JournalReader } from "../../ledger/journal-reader.ts";
import type { Journal, RefusalJournal } from "../../ledger/journal.ts";
import type { JournalWriters } from "../../ledger/journal-writers.ts";
import type { UsedReader } from "../../ledger/used-amounts.ts";
import type { Log } from "../../log.ts";
import type { RetentionStore } from "../../retention/retention-store.ts";
import type { DirectoryAdmin } from "../../tenant/directory.ts";
import type { LogStore } from "../../transparency/log-store.ts";
import { MerkleHasher } from "../../transparency/merkle.ts";
import { monotonicClock } from "./clock.ts";
import { hashes } from "./hashes.ts";
import { PostgresBundles } from "./postgres-bundles.ts";
import { PostgresDirectory } from "./postgres-directory.ts";
import { PostgresJournal } from "./postgres-journal.ts";
import { PostgresKeyUse } from "./postgres-key-use.ts";
import { PostgresListener } from "./postgres-listener.ts";
import { PostgresLookups } from "./postgres-lookups.ts";
import { migratePostgres } from "./postgres-migrate.ts";
import { PostgresPool } from "./postgres-pool.ts";
import { PostgresReader } from "./postgres-reader.ts";
import { PostgresRefusals } from "./postgres-refusals.ts";
import { postgresRetention } from "./postgres-retention.ts";
import { directoryChannel } from "./postgres-schema.ts";
import { PostgresTree } from "./postgres-tree.ts";
import { PostgresUsageSlices } from "./postgres-usage-slices.ts";
import { PostgresUsed } from "./postgres-used.ts";
import { PostgresWriterList } from "./postgres-writer-list.ts";
import { PostgresWriters, type JournalWriter } from "./postgres-writers.ts";

export interface PostgresOptions {
  /** Connections of this process, beside the one that listens. A server takes 100 in all unless it was told otherwise. */
  readonly connections: number;
  /** How long tenants are answered from memory after the last sign of life of the connection that hears of changes. */
  readonly stalenessMs: number;
  /** Tenants kept in memory, about 2 KB each. */
  readonly keptEntries: number;
  /** How long a server that is not there is waited for at the start. */
  readonly startWaitMs: number;
}

/** Receipts and tenants, shared by many replicas. */
export interface PostgresStores {
  readonly journal: Journal;
  /** What was refused; and the tree over both, which all replicas grow. */
  readonly refusals: RefusalJournal;
  readonly tree: LogStore;
  readonly directory: DirectoryAdmin;
  readonly bundles: BundleRecords;
  /** Reads for bills and reports, and tells the others from here on how far this writer is. */
  openReader(writer: JournalWriter): Promise<JournalReader>;
  /** Those who write receipts. */
  readonly writers: JournalWriters;
  /** Tells the others that this writer admits nothing more. */
  leave(): Promise<void>;
  readonly used: UsedReader;
  readonly retention: RetentionStore;
  /** Keeps what `used` and the reader sum from small, however much is written. */
  sumUp(): Promise<void>;
  /** Writes what is queued and closes the connections. What is asked for afterwards is refused with `StoreUnavailable`. */
  close(): Promise<void>;
}

/** Reports are few and long. */
const reportConnections = 2;
/** What deletes waits behind no report. Opened when something is deleted. */
const deletionConnections = 2;
const longMs = 120_000;

const defaults: PostgresOptions = { connections: 8, stalenessMs: 10_000, keptEntries: 50_000, startWaitMs: 15_000 };

/**
 * Opens the database and brings its schema up to date; many replicas may do so at once. The address must lead to the
 * server itself or to a pooler in session mode: one in transaction mode loses `LISTEN` and prepared statements.
 *
 * @throws {StoreUnavailable} where the server does not answer within `startWaitMs`.
 */
export async function openPostgresStores(
  url: string,
  clock: Clock,
  log: Log,
  options: Partial<PostgresOptions> = {},
): Promise<PostgresStores> {
  const settings = { ...defaults, ...options };
  await migratePostgres(url, log, settings.startWaitMs);
  const pool = new PostgresPool(url, settings.connections, log);
  const hasher = new MerkleHasher(hashes.sha256Bytes);
  const journal = new PostgresJournal(pool, hasher);
  const refusals = new PostgresRefusals(pool);
  const keyUse = new PostgresKeyUse(pool, clock);
  const onMessage = (payload: string): void => directory.hear(payload);
  const listener = new PostgresListener(
    { url, channel: directoryChannel, hears: "changes of the directory", stalenessMs: settings.stalenessMs, onMessage },
    monotonicClock,
    log,
  );
  const directory = new PostgresDirectory({ pool, lookups: new PostgresLookups(pool), listener, keyUse }, settings.keptEntries);
  await listener.connect();
  const reading = new PostgresPool(url, reportConnections, log, longMs);
  const deleting = new PostgresPool(url, deletionConnections, log, longMs);
  let writers: PostgresWriters | undefined;
  const openReader = async (writer: JournalWriter): Promise<JournalReader> => {
    writers = new PostgresWriters(reading, writer, clock, log);
    await writers.start();
    return new PostgresReader(reading, writers);
  };
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    listener.close();
    await Promise.all([journal.close(), refusals.close(), keyUse.close(), writers?.close()]);
    await Promise.all([pool.close(), reading.close(), deleting.close()]);
  };
  const slices = new PostgresUsageSlices(reading);
  return {
    journal,
    refusals,
    tree: new PostgresTree(pool, hasher),
    directory,
    bundles: new PostgresBundles(pool),
    openReader,
    writers: new PostgresWriterList(pool),
    leave: async () => writers?.leave(),
    used: new PostgresUsed(reading),
    retention: postgresRetention(deleting, hasher),
    sumUp: () => slices.keepUp(),
    close: () => (closing ??= close()),
  };
}
