import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { JournalReader, ReservationReader } from "../../ledger/journal-reader.ts";
import type { Books, Journal } from "../../ledger/journal.ts";
import type { Log } from "../../log.ts";
import { StoreUnavailable, type QuotaStore } from "../../quota/store.ts";
import { beganAtMs } from "../../request-id.ts";
import type { DirectoryAdmin } from "../../tenant/directory.ts";
import type { Config } from "./config.ts";
import { openPostgresStores } from "./postgres.ts";
import { openSqliteStores, type SqliteStores } from "./sqlite.ts";
import { openValkeyQuota, type ValkeyStore } from "./valkey.ts";
import { refuseWhenFull } from "./write-ahead-admission.ts";
import { WriteAheadJournal } from "./write-ahead-journal.ts";

/** The stores that the configuration asks for. */
export interface Stores extends Ledger {
  readonly quota: QuotaStore;
  readonly books: Books;
  readonly reservations: ReservationReader | undefined;
  close(): Promise<void>;
}

/** All but what is counted. */
interface Ledger {
  readonly journal: Journal;
  readonly directory: DirectoryAdmin;
  /** Usage and exports; only the embedded journal can be read so far. */
  readonly reader: JournalReader | undefined;
  /** Brings the sums that usage is read from up to date. */
  sumUp(): Promise<void>;
}

interface Opening {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** What was opened is closed the other way round. */
  readonly closing: (() => void | Promise<void>)[];
}

export async function openStores(config: Config, clock: Clock, log: Log): Promise<Stores> {
  const closing: Opening["closing"] = [];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).toReversed()) await one();
  };
  try {
    return { ...(await open({ config, clock, log, closing })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(opening: Opening): Promise<Omit<Stores, "close">> {
  const { databaseUrl, quotaUrl } = opening.config;
  if (databaseUrl === undefined) {
    const embedded = openEmbedded(opening);
    if (quotaUrl !== undefined) return onValkey(await openValkey(quotaUrl, opening), embedded, opening.log);
    const { quota, journal, books, directory, reader, reservations } = embedded;
    return { quota, journal, books, directory, reader, reservations, sumUp: () => embedded.sumUp() };
  }
  const ledger = await openPostgres(databaseUrl, opening);
  if (quotaUrl === undefined) {
    const quota = refuseWhenFull(openEmbedded(opening).quota, ledger.journal);
    return { ...ledger, quota, books: inOrder(ledger.journal, quota, opening.log), reservations: undefined };
  }
  const stores = onValkey(await openValkey(quotaUrl, opening), ledger, opening.log);
  return { ...stores, quota: refuseWhenFull(stores.quota, ledger.journal) };
}

function openEmbedded({ config, clock, closing }: Opening): SqliteStores {
  const embedded = openSqliteStores(config.dataDir, clock, {
    synchronous: config.synchronous,
    exclusive: config.processes === 1,
    checkpointThread: true,
  });
  closing.push(() => embedded.close());
  return embedded;
}

/** Journal and directory in PostgreSQL, shared by all replicas; a file of this machine takes receipts while it is away. */
async function openPostgres(
  url: string,
  { config, clock, log, closing }: Opening,
): Promise<Ledger & { journal: WriteAheadJournal }> {
  const shared = await openPostgresStores(url, clock, log, { stalenessMs: config.directoryStalenessMs });
  closing.push(() => shared.close());
  const journal = await WriteAheadJournal.open(shared.journal, join(config.dataDir, "receipts"), clock, log, {
    synchronous: config.synchronous,
  });
  closing.push(() => journal.close());
  return { journal, directory: shared.directory, reader: undefined, sumUp: () => Promise.resolve() };
}

async function openValkey(url: string, { log, closing }: Opening): Promise<ValkeyStore> {
  const valkey = await openValkeyQuota(url, log);
  closing.push(() => valkey.close());
  return valkey;
}

/** Limits and reservations on Valkey, shared by all replicas, beside a journal elsewhere. */
function onValkey(valkey: ValkeyStore, ledger: Ledger, log: Log): Omit<Stores, "close"> {
  const { journal, directory, reader } = ledger;
  return {
    quota: valkey.quota,
    journal,
    books: inOrder(journal, valkey.quota, log),
    directory,
    reader: reader && {
      scan: (query) => reader.scan(query),
      usage: (query) => reader.usage(query),
      async completeUntilMs() {
        // Asked first: what is open now has its receipt by the time at which the journal is looked at, or is the oldest.
        const oldest = await valkey.oldestOpen();
        const completeMs = await reader.completeUntilMs();
        return oldest === undefined ? completeMs : Math.min(completeMs, beganAtMs(oldest));
      },
    },
    reservations: valkey.reservations,
    sumUp: () => ledger.sumUp(),
  };
}

/**
 * Receipt, then settlement: a crash in between leaves a reservation that expires into a receipt which is already there.
 * The receipt stands even where the settlement has to wait.
 */
function inOrder(journal: Journal, quota: QuotaStore, log: Log): Books {
  return {
    async close(receipt, settlement) {
      await journal.append(receipt);
      try {
        await quota.settle(settlement);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        log.warn("a request's receipt is written and its limits are not settled yet", {
          requestId: settlement.id,
          error: error.message,
        });
      }
    },
  };
}
