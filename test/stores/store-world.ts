import type { BundleRecords } from "../../src/bundle/loaded-bundles.ts";
import type { Books, Journal, RefusalJournal } from "../../src/ledger/journal.ts";
import type { JournalReader, ReservationReader } from "../../src/ledger/journal-reader.ts";
import type { ApplyRetention } from "../../src/control/retention.ts";
import type { QuotaStore } from "../../src/quota/store.ts";
import type { DirectoryAdmin } from "../../src/tenant/directory.ts";
import type { LogKey } from "../../src/transparency/log-keys.ts";
import type { LogStore } from "../../src/transparency/log-store.ts";
import type { TransparencyLog } from "../../src/transparency/transparency-log.ts";

/**
 * Real stores for a contract suite, new and empty, with a clock that the suite moves. Where several gateways share one
 * store, what is called goes to each of them in turn.
 */
export interface StoreWorld {
  readonly quota: QuotaStore;
  readonly journal: Journal;
  readonly books: Books;
  readonly directory: DirectoryAdmin;
  /** The store's own time. It begins at 2026-03-31T23:59:00Z, one minute before a day and a month end. */
  nowMs(): number;
  advance(byMs: number): void | Promise<void>;
  /** Drops all that is kept in memory, as a restart or an eviction does. */
  restart(): void | Promise<void>;
  close(): void | Promise<void>;
}

/** Stores whose journal can be read for reports as well. */
export interface ReaderWorld extends StoreWorld {
  readonly refusals: RefusalJournal;
  readonly reader: JournalReader;
  readonly reservations: ReservationReader;
  /** Brings the sums that usage is read from up to date, as gateways do now and then. */
  sumUp(): Promise<void>;
}

/** Stores with a tree over their journal. */
export interface LogWorld extends StoreWorld {
  readonly refusals: RefusalJournal;
  readonly tree: LogStore;
}

/** Stores that keep policy bundles which were loaded. */
export interface BundleWorld extends StoreWorld {
  readonly bundles: BundleRecords;
}

/** Stores whose records are deleted when they are due. */
export interface RetentionWorld extends ReaderWorld {
  /** Deletes what is due, wherever records lie, as operators and the schedule have it done. */
  readonly applyRetention: ApplyRetention;
  /** The log that a tenant's receipts are in: one of all tenants, or one each. It is signed by one of `publicKeys`. */
  log(tenantId: string): Pick<TransparencyLog, "advance" | "prove" | "consistency" | "shown">;
  readonly publicKeys: readonly LogKey[];
}

export type OpenStoreWorld = () => StoreWorld | Promise<StoreWorld>;

export const worldBeginsMs: number = Date.UTC(2026, 2, 31, 23, 59);
