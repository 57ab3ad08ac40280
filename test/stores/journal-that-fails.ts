import type { Journal } from "../../src/ledger/journal.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";

/** A journal that goes away when it is told to. Notes every delivery, so that order and repetition can be seen. */
export class JournalThatFails implements Journal {
  readonly receipts: Map<string, Receipt> = new Map();
  /** Ids of what arrived, repeated ones again. */
  readonly arrivals: string[] = [];
  state: "there" | "away" | "silent" = "there";
  /** Receipts that it will never take. */
  readonly refuses: Set<string> = new Set();
  #released: (() => void)[] = [];

  async append(receipt: Receipt): Promise<void> {
    if (this.state === "silent") await new Promise<void>((resolve) => this.#released.push(resolve));
    // As over a network: whoever was under way when it went is not answered either.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.state !== "there") throw new StoreUnavailable("away");
    if (this.refuses.has(receipt.requestId)) throw new RangeError("not to be taken");
    this.arrivals.push(receipt.requestId);
    const known = this.receipts.get(receipt.requestId);
    if (known === undefined || (known.end === "unsettled" && receipt.end !== "unsettled"))
      this.receipts.set(receipt.requestId, receipt);
  }

  /** Ends the silence. */
  speak(state: "there" | "away"): void {
    this.state = state;
    for (const release of this.#released.splice(0)) release();
  }

  find(_tenantId: string, requestId: string): Promise<Receipt | undefined> {
    return Promise.resolve(this.receipts.get(requestId));
  }

  list(): Promise<readonly Receipt[]> {
    return Promise.resolve([...this.receipts.values()]);
  }

  async findResponse(_tenantId: string, responseId: string): Promise<Receipt | undefined> {
    return [...this.receipts.values()].find((one) => one.responseId === responseId);
  }
}
