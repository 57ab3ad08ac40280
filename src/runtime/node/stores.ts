import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { JournalReader, ReservationReader } from "../../ledger/journal-reader.ts";
import type { Books, Journal } from "../../ledger/journal.ts";
import type { Log } from "../../log.ts";
import type { QuotaStore } from "../../quota/store.ts";
import type { DirectoryAdmin } from "../../tenant/directory.ts";
import type { Config } from "./config.ts";
import { openPostgresStores } from "./postgres.ts";
import { openSqliteStores, type SqliteStores } from "./sqlite.ts";
import { refuseWhenFull } from "./write-ahead-admission.ts";
import { WriteAheadJournal } from "./write-ahead-journal.ts";

/** The stores that the configuration asks for. */
export interface Stores {
  readonly quota: QuotaStore;
  readonly journal: Journal;
  readonly books: Books;
  readonly directory: DirectoryAdmin;
  /** Usage and exports; only the embedded journal can be read so far. */
  readonly reader: JournalReader | undefined;
  readonly reservations: ReservationReader | undefined;
  /** Brings the sums that usage is read from up to date. */
  sumUp(): Promise<void>;
  close(): Promise<void>;
}

export async function openStores(config: Config, clock: Clock, log: Log): Promise<Stores> {
  const embedded = openSqliteStores(config.dataDir, clock, {
    synchronous: config.synchronous,
    exclusive: config.processes === 1,
    checkpointThread: true,
  });
  if (config.databaseUrl === undefined) return alone(embedded);
  try {
    return await withPostgres(config.databaseUrl, embedded, config, clock, log);
  } catch (error) {
    embedded.close();
    throw error;
  }
}

function alone(embedded: SqliteStores): Stores {
  const { quota, journal, books, directory, reader, reservations } = embedded;
  return {
    quota,
    journal,
    books,
    directory,
    reader,
    reservations,
    sumUp: () => embedded.sumUp(),
    close: async () => embedded.close(),
  };
}

/** Journal and directory in PostgreSQL, shared by all replicas; a file of this machine takes receipts while it is away. */
async function withPostgres(url: string, embedded: SqliteStores, config: Config, clock: Clock, log: Log): Promise<Stores> {
  const shared = await openPostgresStores(url, clock, log, { stalenessMs: config.directoryStalenessMs });
  const journal = await WriteAheadJournal.open(shared.journal, join(config.dataDir, "receipts"), clock, log, {
    synchronous: config.synchronous,
  });
  const quota = refuseWhenFull(embedded.quota, journal);
  return {
    quota,
    journal,
    // In this order: a crash in between leaves a reservation that expires into a receipt which is already there.
    books: {
      async close(receipt, settlement) {
        await journal.append(receipt);
        await quota.settle(settlement);
      },
    },
    directory: shared.directory,
    reader: undefined,
    reservations: undefined,
    sumUp: () => Promise.resolve(),
    async close() {
      await journal.close();
      await shared.close();
      embedded.close();
    },
  };
}
