import type { Log } from "../../log.ts";
import type { ValkeyCalls } from "./valkey-calls.ts";
import type { ValkeySettlements } from "./valkey-settlements.ts";
import { bucketCount, bucketOf, numberAt } from "./valkey-wire.ts";

/** A reservation on Valkey that an open request is held by: its own, or that of a slice. */
export interface OpenHold {
  readonly tenantId: string;
  readonly id: string;
}

/** This process as one of those that write to the journal. */
export interface AccountableWriter {
  /** The writers that it speaks for: itself, and those of its data directory that died. */
  ids(): readonly string[];
  /** What holds the data directory's requests whose receipt is neither in the journal nor waits in a file. */
  openHolds(): Promise<readonly OpenHold[]>;
  /** Whether receipts wait in the data directory's files, of whichever process. */
  receiptsWait(): boolean;
}

const everyMs = 100;

/**
 * Accounts for what this machine admitted in data that Valkey lost: says so there once each of these requests is open
 * there again or has its receipt in the journal. Limits are not summed before every writer has.
 *
 * What this process holds is known in memory. What others of the data directory held that died is known by their intents
 * in its files, which become receipts when their leases have run out; those that live speak for themselves.
 */
export class ValkeyAccounting {
  readonly #calls: ValkeyCalls;
  readonly #settlements: ValkeySettlements;
  readonly #log: Log;
  /** By bucket, the epoch that was accounted for last. */
  readonly #accounted = new Float64Array(bucketCount);
  #writer: AccountableWriter | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #closed = false;

  constructor(calls: ValkeyCalls, settlements: ValkeySettlements, log: Log) {
    this.#calls = calls;
    this.#settlements = settlements;
    this.#log = log;
  }

  /** Accounts for a writer, now and after each loss. */
  start(writer: AccountableWriter): void {
    this.#writer = writer;
    void this.#run();
  }

  /** To be called when data were lost. */
  soon(): void {
    if (this.#writer === undefined || this.#timer !== undefined || this.#running || this.#closed) return;
    this.#timer = setTimeout(() => void this.#run(), everyMs);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    this.#timer = undefined;
    this.#running = true;
    try {
      if (this.#writer !== undefined) await this.#account(this.#writer);
    } catch (error) {
      this.#log.warn("what was admitted before Valkey lost its data is not yet accounted for", { error: String(error) });
    } finally {
      this.#running = false;
    }
    if (this.#due().length > 0) this.soon();
  }

  #due(): number[] {
    return [...this.#accounted.keys()].filter((bucket) => this.#accounted[bucket] !== this.#calls.epochAt(bucket));
  }

  async #account(writer: AccountableWriter): Promise<void> {
    const due = this.#due().map((bucket) => ({ bucket, epoch: this.#calls.epochAt(bucket) }));
    // In this order: who is dead now has left what it had open, and what is open no more has its receipt, which may wait.
    const ids = writer.ids();
    const open = Map.groupBy(await writer.openHolds(), ({ tenantId }) => bucketOf(tenantId));
    if (writer.receiptsWait()) return;
    const told = due.map(({ bucket, epoch }) => this.#tell(bucket, epoch, ids, open.get(bucket) ?? []));
    const failed = (await Promise.allSettled(told)).find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #tell(bucket: number, epoch: number, ids: readonly string[], open: readonly OpenHold[]): Promise<void> {
    if (!this.#settlements.isPutBack(bucket)) {
      this.#settlements.putBack(bucket);
      return;
    }
    const others = open.filter(({ tenantId, id }) => !this.#settlements.holds(tenantId, id));
    const pairs = others.map(({ tenantId, id }) => [tenantId, id]);
    const reply = await this.#calls.call("account", bucket, [String(epoch), JSON.stringify(ids), JSON.stringify(pairs)]);
    if (numberAt(reply, 0) === 1) this.#accounted[bucket] = epoch;
  }
}
