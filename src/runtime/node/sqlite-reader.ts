import type { Clock } from "../../clock.ts";
import type { JournalReader, ReservationReader, ScanQuery, UsageQuery } from "../../ledger/journal-reader.ts";
import type { RefusalReceipt } from "../../ledger/receipt.ts";
import type { UsageRow } from "../../ledger/usage-sums.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import { SqlJournalReader } from "../sql/journal-reader.ts";
import { SqlRefusals } from "../sql/refusals.ts";
import { SqlUsage, UsageGroups } from "../sql/usage-slices.ts";
import type { SqliteBatcher } from "./sqlite-batcher.ts";
import { asStoreError, type SqliteDatabase } from "./sqlite-database.ts";

/** Some two milliseconds of work, for which every stream of this process waits. */
const rollBatch = 250;
/** So many receipts are read as they are, rather than taken into the slices first. */
const readBehind = 1_000;
/** Another process may take receipts into the slices while they are summed, and then it begins anew. */
const patience = 3;

/**
 * Reads beside the gateway's own work, on its one connection: where a process has the file to itself, nobody else may read
 * it. So what is long is done in steps, with other work between them.
 */
export class SqliteReader implements JournalReader, ReservationReader {
  readonly #reader: SqlJournalReader;
  readonly #refusals: SqlRefusals;
  readonly #usage: SqlUsage;
  readonly #batcher: SqliteBatcher;
  readonly #clock: Pick<Clock, "nowMs">;
  #rolling: Promise<void> | undefined;
  #closed = false;

  constructor(database: SqliteDatabase, batcher: SqliteBatcher, clock: Pick<Clock, "nowMs">) {
    this.#reader = new SqlJournalReader(database);
    this.#refusals = new SqlRefusals(database);
    this.#usage = new SqlUsage(database);
    this.#batcher = batcher;
    this.#clock = clock;
  }

  scan: JournalReader["scan"] = async (query) => {
    if (query.tenantId === undefined) await this.keepUp();
    return this.#read(() => this.#reader.scan(query));
  };

  async scanRefusals(query: ScanQuery): Promise<readonly RefusalReceipt[]> {
    return this.#read(() => this.#refusals.scan(query));
  }

  completeUntilMs: JournalReader["completeUntilMs"] = async () =>
    this.#read(() => this.#reader.completeUntilMs(this.#clock.nowMs()));

  /** All reservations whose receipt is not yet in the journal, of all processes. */
  async awaited(): Promise<readonly { readonly tenantId: string; readonly id: string }[]> {
    return this.#read(() => this.#reader.awaited());
  }

  open: ReservationReader["open"] = async (tenantId) => this.#read(() => this.#reader.open(tenantId));

  async usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    if (this.#read(() => this.#usage.last() - this.#usage.progress()) > readBehind) await this.keepUp();
    for (let attempt = 1; attempt < patience; attempt += 1) {
      const groups = new UsageGroups(query.most);
      const progress = this.#read(() => this.#usage.progress());
      const steps = this.#usage.sliced(query, groups);
      while (this.#read(() => steps.next()).done !== true) await turn();
      // The same slices from the first step to the last, and the receipts beside them as of one moment.
      const rest = await this.#batcher.run(() => (this.#usage.progress() === progress ? this.#usage.unsliced(query) : undefined));
      if (rest === undefined) continue;
      for (const { group, sums } of rest) groups.add(group, sums);
      return groups.rows;
    }
    return this.#batcher.run(() => this.#usage.whole(query));
  }

  /** Takes what the journal has by now into the slices and the order of all. What comes meanwhile is for the next time. */
  async keepUp(): Promise<void> {
    const last = this.#read(() => this.#usage.last());
    while (this.#read(() => this.#usage.progress()) < last) {
      // Two callers share one batch, and each goes on to its own end.
      this.#rolling ??= this.#batcher.run(() => this.#usage.roll(rollBatch)).finally(() => (this.#rolling = undefined));
      await this.#rolling;
      await turn();
    }
  }

  close(): void {
    this.#closed = true;
  }

  #read<T>(work: () => T): T {
    if (this.#closed) throw new StoreUnavailable("The database is closed.");
    try {
      return work();
    } catch (error) {
      throw asStoreError(error);
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
