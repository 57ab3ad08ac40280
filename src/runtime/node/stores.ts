import { join } from "node:path";
import type { BundleRecords } from "../../bundle/loaded-bundles.ts";
import type { Clock } from "../../clock.ts";
import type { JournalReader, ReservationReader } from "../../ledger/journal-reader.ts";
import { JournalHistory } from "../../ledger/journal-history.ts";
import type { Books, Journal, RefusalJournal } from "../../ledger/journal.ts";
import type { JournalWriters } from "../../ledger/journal-writers.ts";
import { ScannedAmounts, type UsedReader } from "../../ledger/used-amounts.ts";
import type { Log } from "../../log.ts";
import { StoreUnavailable, type QuotaStore } from "../../quota/store.ts";
import { KeptIntents } from "../../quota/kept-intents.ts";
import { SlicedQuota } from "../../quota/slices/sliced-quota.ts";
import { beganAtMs, requestId } from "../../request-id.ts";
import type { RetentionStore } from "../../retention/retention-store.ts";
import type { DirectoryAdmin } from "../../tenant/directory.ts";
import type { LogStore } from "../../transparency/log-store.ts";
import { systemEntropy } from "./clock.ts";
import type { Config } from "./config.ts";
import { journalWriter } from "./journal-writer.ts";
import { openPostgresStores } from "./postgres.ts";
import type { JournalWriter } from "./postgres-writers.ts";
import { openSqliteStores, type SqliteStores } from "./sqlite.ts";
import type { AccountableWriter } from "./valkey-accounting.ts";
import { openValkeyQuota, type ValkeyOptions, type ValkeyStore } from "./valkey.ts";
import { refuseWhenFull } from "./write-ahead-admission.ts";
import { WriteAheadJournal } from "./write-ahead-journal.ts";

/** The stores that the configuration asks for. */
export interface Stores extends Ledger {
  readonly quota: QuotaStore;
  readonly books: Books;
  readonly reservations: ReservationReader;
  close(): Promise<void>;
}

/** All but what is counted. */
interface Ledger {
  readonly journal: Journal;
  /** What was refused; and the tree over both journals. */
  readonly refusals: RefusalJournal;
  readonly tree: LogStore;
  readonly directory: DirectoryAdmin;
  /** Policy bundles that were loaded. */
  readonly bundles: BundleRecords;
  /** Usage and exports. */
  readonly reader: JournalReader;
  /** What may be deleted when it is due. */
  readonly retention: RetentionStore;
  /** Where several write the journal. */
  readonly writers?: JournalWriters;
  /** Brings the sums that usage is read from up to date. */
  sumUp(): Promise<void>;
}

/** The tier of a model; `undefined` for one that the catalogue does not have. */
export type TierOf = (model: string) => string | undefined;

interface Opening {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  readonly tierOf: TierOf;
  /** What was opened is closed the other way round. */
  readonly closing: (() => void | Promise<void>)[];
}

export async function openStores(config: Config, clock: Clock, log: Log, tierOf: TierOf): Promise<Stores> {
  const closing: Opening["closing"] = [];
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).toReversed()) await one();
  };
  try {
    return { ...(await open({ config, clock, log, tierOf, closing })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(opening: Opening): Promise<Omit<Stores, "close">> {
  const { databaseUrl, quotaUrl } = opening.config;
  if (databaseUrl === undefined) {
    const embedded = openEmbedded(opening);
    if (quotaUrl !== undefined) {
      const { reader } = embedded;
      const history = new JournalHistory(embedded.directory, new ScannedAmounts(reader), opening.tierOf);
      const alone = ["this data directory"];
      const valkey = await openValkey(quotaUrl, { history, roster: () => Promise.resolve(alone) }, opening);
      const behind: JournalReader = {
        scan: (query) => reader.scan(query),
        scanRefusals: (query) => reader.scanRefusals(query),
        usage: (query) => reader.usage(query),
        completeUntilMs: completeBehind(valkey, () => reader.completeUntilMs()),
      };
      const quota = quotaOnValkey(valkey, embedded, opening);
      account(valkey, embedded, quota, { ids: () => alone, receiptsWait: () => false });
      return onValkey(valkey, embedded, quota, { ...ledgerOf(embedded), reader: behind }, opening);
    }
    const { quota, books, reservations } = embedded;
    return { ...ledgerOf(embedded), quota, books, reservations };
  }
  const shared = await openPostgres(databaseUrl, opening);
  if (quotaUrl === undefined) {
    const embedded = openEmbedded(opening);
    const { quota, reader, reservations } = embedded;
    const { ledger } = await shared.ledger(embedded, () => reader.completeUntilMs());
    const admitting = refuseWhenFull(quota, shared.journal);
    return { ...ledger, quota: admitting, books: inOrder(ledger.journal, admitting, opening.log), reservations };
  }
  const history = new JournalHistory(shared.directory, shared.used, opening.tierOf);
  const valkey = await openValkey(quotaUrl, { history, roster: shared.roster }, opening);
  const local = openEmbedded(opening);
  const { ledger, writer } = await shared.ledger(
    local,
    completeBehind(valkey, () => local.reader.completeUntilMs()),
  );
  const quota = quotaOnValkey(valkey, local, opening);
  // On the roster since it became a writer, and nothing was admitted yet.
  account(valkey, local, quota, { ids: () => [writer.id, ...writer.dead()], receiptsWait: () => writer.receiptsWait() });
  const stores = onValkey(valkey, local, quota, ledger, opening);
  return { ...stores, quota: refuseWhenFull(quota, shared.journal) };
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

function ledgerOf(embedded: SqliteStores): Ledger {
  const { journal, refusals, tree, directory, bundles, reader, retention } = embedded;
  return { journal, refusals, tree, directory, bundles, reader, retention, sumUp: () => embedded.sumUp() };
}

interface SharedLedger {
  readonly journal: WriteAheadJournal;
  readonly directory: DirectoryAdmin;
  readonly used: UsedReader;
  /** The ids of all who write to it. */
  readonly roster: () => Promise<readonly string[]>;
  /** This process becomes one who writes to it. `heldNoMoreUntilMs` tells up to where no request is in flight. */
  ledger(local: SqliteStores, heldNoMoreUntilMs: () => Promise<number>): Promise<{ ledger: Ledger; writer: JournalWriter }>;
}

/** Journal and directory in PostgreSQL, shared by all replicas; a file of this machine takes receipts while it is away. */
async function openPostgres(url: string, { config, clock, log, closing }: Opening): Promise<SharedLedger> {
  const shared = await openPostgresStores(url, clock, log, { stalenessMs: config.directoryStalenessMs });
  closing.push(() => shared.close());
  const { refusals, tree, directory, bundles, retention, used, writers } = shared;
  const folder = join(config.dataDir, "receipts");
  const journal = await WriteAheadJournal.open(shared.journal, folder, clock, log, { synchronous: config.synchronous });
  closing.push(() => journal.close());
  return {
    journal,
    directory,
    used,
    roster: async () => (await writers.list()).map(({ id }) => id),
    async ledger(local, heldNoMoreUntilMs) {
      const writer = journalWriter({
        folder,
        slot: journal.slot,
        handedOverUntilMs: heldNoMoreUntilMs,
        holdsRequests: async () => (await local.awaited()).length > 0,
      });
      const reader = await shared.openReader(writer);
      closing.push(() => shared.leave());
      const sumUp = (): Promise<void> => shared.sumUp();
      return { ledger: { journal, refusals, tree, directory, bundles, reader, retention, writers, sumUp }, writer };
    },
  };
}

async function openValkey(
  url: string,
  options: Pick<ValkeyOptions, "history"> & Partial<ValkeyOptions>,
  { log, closing }: Opening,
): Promise<ValkeyStore> {
  const valkey = await openValkeyQuota(url, log, options);
  closing.push(() => valkey.close());
  return valkey;
}

/**
 * Limits on Valkey, shared by all replicas. What may go upstream is noted in the file of this machine too: Valkey forgets,
 * and a gateway that dies meanwhile must leave a record of what it sent.
 */
function quotaOnValkey(valkey: ValkeyStore, local: SqliteStores, { clock, log, closing }: Opening): SlicedQuota {
  const quota = new SlicedQuota({
    exact: new KeptIntents(valkey.quota, local.quota),
    local: local.quota,
    clock,
    elapsedMs: () => performance.now(),
    newId: () => requestId(systemEntropy, clock),
    log,
  });
  closing.push(() => quota.close());
  return quota;
}

/** Accounts on Valkey for what the data directory has open: no limit is summed without it. */
function account(
  valkey: ValkeyStore,
  local: SqliteStores,
  quota: SlicedQuota,
  writer: Omit<AccountableWriter, "openHolds">,
): void {
  const openHolds: AccountableWriter["openHolds"] = async () =>
    (await local.awaited()).map(({ tenantId, id }) => ({ tenantId, id: quota.heldBy(tenantId, id) }));
  valkey.account({ ...writer, openHolds });
}

/** Limits and reservations on Valkey, beside a journal elsewhere. */
function onValkey(
  valkey: ValkeyStore,
  local: SqliteStores,
  quota: QuotaStore,
  ledger: Ledger,
  { log }: Opening,
): Omit<Stores, "close"> {
  return {
    ...ledger,
    quota,
    books: inOrder(ledger.journal, quota, log),
    reservations: {
      async open(tenantId) {
        const held = [...(await local.reservations.open(tenantId)), ...(await valkey.reservations.open(tenantId))];
        // Most are held here as well as there.
        return [...new Map(held.map((one) => [one.requestId, one])).values()];
      },
    },
  };
}

/** How far a journal is complete whose requests are held on Valkey: up to the oldest of these. */
function completeBehind(valkey: ValkeyStore, completeUntilMs: () => Promise<number>): () => Promise<number> {
  return async () => {
    // Asked first: what is open now has its receipt by the time at which the journal is looked at, or is the oldest.
    const oldest = await valkey.oldestOpen();
    const completeMs = await completeUntilMs();
    return oldest === undefined ? completeMs : Math.min(completeMs, beganAtMs(oldest));
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
