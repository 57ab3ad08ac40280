import type { Cancel, Clock } from "../../clock.ts";
import type { Journal } from "../../ledger/journal.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import type { Log } from "../../log.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import { deliverWaiting, type DeliveryPorts } from "./write-ahead-delivery.ts";
import { WriteAheadLog, type WriteAheadLogOptions } from "./write-ahead-log.ts";
import { WriteAheadSlot } from "./write-ahead-slot.ts";

export interface WriteAheadOptions extends WriteAheadLogOptions {
  /** How long the journal may take before a receipt is written to the file as well, and whoever waits for it is told. */
  readonly patienceMs: number;
  /** How often files of processes that died are looked for. */
  readonly adoptEveryMs: number;
}

const defaults: WriteAheadOptions = {
  synchronous: "normal",
  mostBytes: 512 * 1_048_576,
  segmentBytes: 4 * 1_048_576,
  patienceMs: 1_000,
  adoptEveryMs: 30_000,
};

/**
 * A journal that may be away for a while. A receipt is durable in it or in a file of this machine when `append`
 * resolves; what waits in the file is delivered, in order, when the journal is back. While anything waits, everything
 * goes through the file, so that nothing overtakes.
 *
 * Each process has a file of its own in the folder, which must be on a local disk. What a process leaves when it dies is
 * taken over by the one that starts in its place or by one that lives, by exactly one.
 */
export class WriteAheadJournal implements Journal {
  readonly #journal: Journal;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: WriteAheadOptions;
  readonly #waiting: WriteAheadLog;
  readonly #ports: DeliveryPorts;
  readonly #stopping = new AbortController();
  readonly #appends = new Set<Promise<void>>();
  #delivery: Promise<void> | undefined;
  #more = false;
  #adoption: Promise<void> | undefined;
  #cancelAdoption: Cancel | undefined;

  private constructor(
    journal: Journal,
    folder: string,
    waiting: WriteAheadLog,
    clock: Clock,
    log: Log,
    options: WriteAheadOptions,
  ) {
    this.#journal = journal;
    this.#folder = folder;
    this.#waiting = waiting;
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#ports = { journal, clock, log, stopping: this.#stopping.signal };
  }

  /** Begins at once to deliver what earlier processes left in the folder, which is made where it is missing. */
  static async open(
    journal: Journal,
    folder: string,
    clock: Clock,
    log: Log,
    options: Partial<WriteAheadOptions> = {},
  ): Promise<WriteAheadJournal> {
    const settings = { ...defaults, ...options };
    const waiting = await WriteAheadLog.open(WriteAheadSlot.take(folder), settings, log);
    const opened = new WriteAheadJournal(journal, folder, waiting, clock, log, settings);
    opened.#deliver();
    opened.#adopt();
    return opened;
  }

  /** Of this process's place in the folder, which no other has while it lives. */
  get slot(): number {
    return this.#waiting.slot;
  }

  /** Bytes in the file that the journal does not have yet. */
  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  /** Whether receipts wait on this machine, of whichever process: that one may have died, or be the next to deliver. */
  receiptsWait(): boolean {
    return this.#waiting.bytes > 0 || WriteAheadSlot.holdsSegments(this.#folder);
  }

  /**
   * Whether another request may begin: the last eighth of the file is for the receipts of those that are under way.
   */
  get hasRoom(): boolean {
    return this.#waiting.bytes <= this.#options.mostBytes * 0.875;
  }

  async append(receipt: Receipt): Promise<void> {
    if (this.#stopping.signal.aborted) throw new StoreUnavailable("The journal is closed.");
    const appended = this.#waiting.bytes > 0 ? this.#store(receipt) : this.#pass(receipt);
    this.#appends.add(appended);
    try {
      await appended;
    } finally {
      this.#appends.delete(appended);
    }
  }

  async find(tenantId: string, requestId: string): Promise<Receipt | undefined> {
    return this.#orWaiting(await this.#journal.find(tenantId, requestId));
  }

  /** Without those that still wait. */
  list(tenantId: string, beforeMs: number | undefined, count: number): Promise<readonly Receipt[]> {
    return this.#journal.list(tenantId, beforeMs, count);
  }

  async findResponse(tenantId: string, responseId: string): Promise<Receipt | undefined> {
    return this.#orWaiting(await this.#journal.findResponse(tenantId, responseId));
  }

  /** Waits for what was asked for; what waits in the file stays there for the next start. Close the journal behind it afterwards. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#cancelAdoption?.();
    await Promise.allSettled(this.#appends);
    await Promise.all([this.#delivery, this.#adoption]);
    await this.#waiting.close();
  }

  async #pass(receipt: Receipt): Promise<void> {
    const passed = this.#journal.append(receipt);
    try {
      if (await this.#inTime(passed)) return;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      return this.#store(receipt);
    }
    // Late but perhaps not lost: whichever of the two is durable first. The journal may get it twice and takes it once.
    await Promise.any([passed, this.#store(receipt)]).catch(() => {
      throw new StoreUnavailable("The journal does not answer and the write-ahead file has no room.");
    });
  }

  #inTime(passed: Promise<void>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(this.#options.patienceMs, () => resolve(false));
      void passed.then(() => resolve(true), reject).finally(cancel);
    });
  }

  async #store(receipt: Receipt): Promise<void> {
    await this.#waiting.append(JSON.stringify(receipt));
    this.#deliver();
  }

  #orWaiting(receipt: Receipt | undefined): Receipt | undefined {
    // It may be among those that wait: saying that there is none would be a guess.
    if (receipt === undefined && this.#waiting.bytes > 0)
      throw new StoreUnavailable("Receipts wait to be delivered to the journal.");
    return receipt;
  }

  #deliver(): void {
    this.#more = true;
    this.#delivery ??= this.#deliverAll().finally(() => (this.#delivery = undefined));
  }

  async #deliverAll(): Promise<void> {
    while (this.#more && !this.#stopping.signal.aborted) {
      this.#more = false;
      const count = await deliverWaiting(this.#waiting, this.#folder, this.#ports);
      if (count > 0) this.#log.info("receipts that waited in the write-ahead file were delivered", { count });
    }
  }

  #adopt(): void {
    this.#adoption = this.#adoptAll();
  }

  async #adoptAll(): Promise<void> {
    try {
      while (!this.#stopping.signal.aborted && (await this.#adoptOne())) continue;
    } catch (error) {
      this.#log.error("the write-ahead files of other processes could not be read", { error: String(error) });
    }
    if (!this.#stopping.signal.aborted) this.#cancelAdoption = this.#clock.after(this.#options.adoptEveryMs, () => this.#adopt());
  }

  /** Whether there was something to take over. */
  async #adoptOne(): Promise<boolean> {
    const slot = WriteAheadSlot.takeAbandoned(this.#folder);
    if (slot === undefined) return false;
    const left = await WriteAheadLog.open(slot, this.#options, this.#log);
    try {
      const count = await deliverWaiting(left, this.#folder, this.#ports);
      if (count > 0) this.#log.info("receipts of a gateway that died were delivered", { count });
    } finally {
      await left.close();
    }
    return true;
  }
}
