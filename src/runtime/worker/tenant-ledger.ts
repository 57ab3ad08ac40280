import type { Clock } from "../../clock.ts";
import { longestAdmissionMs, type JournalReader, type ReservationReader } from "../../ledger/journal-reader.ts";
import type { Books, Journal, RefusalJournal } from "../../ledger/journal.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import type { QuotaStore } from "../../quota/store.ts";
import { closeBooks } from "../sql/books.ts";
import { SqlJournalReader } from "../sql/journal-reader.ts";
import { SqlJournal } from "../sql/journal.ts";
import type { LogStore } from "../../transparency/log-store.ts";
import { MerkleHasher } from "../../transparency/merkle.ts";
import { SqlQuota } from "../sql/quota.ts";
import { SqlUsage, type SliceRow } from "../sql/usage-slices.ts";
import { SqlRefusals } from "../sql/refusals.ts";
import { SqlTree } from "../sql/tree.ts";
import { hashes } from "./hashes.ts";
import type { ObjectDatabase } from "./object-database.ts";

/** Some milliseconds of work. */
const rollBatch = 250;

/** One tenant's limits, reservations and receipts, inside its object: each call is one transaction. */
export interface TenantLedger {
  readonly quota: QuotaStore;
  readonly journal: Journal;
  readonly books: Books;
  /** Of this tenant alone, and sums of it. */
  readonly reader: JournalReader & ReservationReader;
  /** The sums that receipts are in, up to date. */
  slicesOf(receipts: readonly Receipt[]): Promise<readonly SliceRow[]>;
  readonly refusals: RefusalJournal;
  readonly tree: LogStore;
  /** Milliseconds since the epoch at which the next lease runs out; `undefined` where nothing is held. */
  nextExpiryMs(): number | undefined;
}

export function openTenantLedger(database: ObjectDatabase, clock: Clock): TenantLedger {
  const quota = new SqlQuota(database);
  const reader = new SqlJournalReader(database);
  const usage = new SqlUsage(database);
  const hasher = new MerkleHasher(hashes.sha256Bytes);
  const journal = new SqlJournal(database, hasher);
  const refusals = new SqlRefusals(database);
  const tree = new SqlTree(database, hasher);

  async function transact<Result>(work: () => Result): Promise<Result> {
    try {
      return database.transact(() => {
        const result = work();
        quota.flush();
        return result;
      });
    } catch (error) {
      // The rows went back to what they were; the counters that were read from them must as well.
      quota.forget();
      throw error;
    }
  }

  async function sumUp(): Promise<void> {
    const last = database.read(0, () => usage.last());
    // Each step by itself: an object that works for long answers nobody meanwhile.
    while (database.read(last, () => usage.progress()) < last) await transact(() => usage.roll(rollBatch));
  }

  return {
    quota: {
      reserve: (request) => transact(() => quota.reserve(request, clock.nowMs())),
      settle: (settlement) => transact(() => quota.settle(settlement, clock.nowMs())),
      renew: (tenantId, ids, leaseMs) => transact(() => quota.renew(tenantId, ids, leaseMs, clock.nowMs())),
      expire: (count) => transact(() => quota.expire(count, clock.nowMs())),
      recorded: (tenantId, ids) => transact(() => quota.recorded(tenantId, ids)),
      inspect: (tenantId, limits) => transact(() => quota.inspect(tenantId, limits, clock.nowMs())),
    },
    journal: {
      append: (receipt) => transact(() => journal.append(receipt)),
      find: async (tenantId, requestId) => database.read(undefined, () => journal.find(tenantId, requestId)),
      list: async (tenantId, beforeMs, count) => database.read([], () => journal.list(tenantId, beforeMs, count)),
      findResponse: async (tenantId, responseId) => database.read(undefined, () => journal.findResponse(tenantId, responseId)),
    },
    books: {
      close: (receipt, settlement) => transact(() => closeBooks(journal, quota, receipt, settlement, clock.nowMs())),
    },
    reader: {
      scan: async (query) => database.read([], () => reader.scan(query)),
      scanRefusals: async (query) => database.read([], () => refusals.scan(query)),
      async usage(query) {
        await sumUp();
        return database.read([], () => usage.whole(query));
      },
      completeUntilMs: async () => {
        const nowMs = clock.nowMs();
        return database.read(nowMs - longestAdmissionMs, () => reader.completeUntilMs(nowMs));
      },
      open: async (tenantId) => database.read([], () => reader.open(tenantId)),
    },
    async slicesOf(receipts) {
      await sumUp();
      return database.read([], () => usage.slicesOf(receipts));
    },
    refusals: {
      append: (refusal) => transact(() => refusals.append(refusal)),
      find: async (tenantId, requestId) => database.read(undefined, () => refusals.find(tenantId, requestId)),
    },
    // All of it is asked only of an object that a key or an operator named rightly, and may create its tables.
    tree: {
      origin: () => transact(() => tree.origin()),
      size: () => transact(() => tree.size()),
      integrate: (most) => transact(() => tree.integrate(most)),
      tile: (level, index) => transact(() => tree.tile(level, index)),
      place: (tenantId, requestId) => transact(() => tree.place(tenantId, requestId)),
      entries: (from, count) => transact(() => tree.entries(from, count)),
      checkpoint: (size) => transact(() => tree.checkpoint(size)),
      keepCheckpoint: (checkpoint) => transact(() => tree.keepCheckpoint(checkpoint)),
    },
    nextExpiryMs() {
      // What expired and is not yet in the journal counts as well: dying in between must not leave it there.
      const [row] = database.read<{ readonly at: number | null }[]>([], () =>
        database.all("SELECT min(expires_at_ms) AS at FROM reservation WHERE state IN (0, 1)"),
      );
      return row?.at ?? undefined;
    },
  };
}
