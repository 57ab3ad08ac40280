import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import { StoreUnavailable } from "../quota/store.ts";
import type { Books, RefusalJournal } from "./journal.ts";

interface BufferPorts {
  readonly books: Books;
  /** Absent where refusals are not recorded. */
  readonly refusals?: RefusalJournal | undefined;
  readonly clock: Pick<Clock, "after">;
  readonly log: Log;
}

/** About 3 KB each. */
const mostWaiting = 10_000;
const retryMs = 1_000;

/**
 * Books and refusals that wait in memory while their store is away, and are written in their order once it is back. Past
 * the bound nothing is taken any more, and the client is refused. What waits is lost with the process: of receipts the
 * reservation's own intent is left, of refusals nothing. An operator chooses this over refusing at once.
 */
export class BufferedBooks {
  readonly #ports: BufferPorts;
  readonly #most: number;
  readonly #waiting: (() => Promise<void>)[] = [];
  #isRetrying = false;

  constructor(ports: BufferPorts, most: number = mostWaiting) {
    this.#ports = ports;
    this.#most = most;
  }

  readonly books: Books = {
    close: (receipt, settlement) => this.#write(() => this.#ports.books.close(receipt, settlement)),
  };

  get refusals(): RefusalJournal | undefined {
    const { refusals } = this.#ports;
    return refusals === undefined
      ? undefined
      : {
          append: (refusal) => this.#write(() => refusals.append(refusal)),
          find: (tenantId, requestId) => refusals.find(tenantId, requestId),
        };
  }

  async #write(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || this.#waiting.length >= this.#most) throw error;
      if (this.#waiting.length === 0) this.#ports.log.error("receipts wait in memory for their store", { error: error.message });
      this.#waiting.push(write);
      this.#retryLater();
    }
  }

  #retryLater(): void {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    this.#ports.clock.after(retryMs, () => void this.#retry());
  }

  async #retry(): Promise<void> {
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) break;
      try {
        await first();
      } catch (error) {
        if (error instanceof StoreUnavailable) break;
        this.#ports.log.error("a receipt that waited cannot be written", { error: String(error) });
      }
      this.#waiting.shift();
    }
    this.#isRetrying = false;
    if (this.#waiting.length > 0) this.#retryLater();
    else this.#ports.log.warn("all receipts that waited are written");
  }
}
