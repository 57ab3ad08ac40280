import type { CutReason, Withdrawal } from "./lifetime.ts";
import type { OpenExchange } from "./open-exchange.ts";

/** The exchanges of this process that hold a reservation, so that they can be cut and waited for. */
export class OpenExchanges {
  readonly #open = new Map<string, OpenExchange>();
  #whenEmpty: (() => void) | undefined;

  get count(): number {
    return this.#open.size;
  }

  [Symbol.iterator](): IterableIterator<OpenExchange> {
    return this.#open.values();
  }

  add(id: string, exchange: OpenExchange): void {
    this.#open.set(id, exchange);
  }

  /** Closes it, where it was ever added. */
  delete(id: string): void {
    this.#open.get(id)?.close();
    if (this.#open.delete(id) && this.#open.size === 0) this.#whenEmpty?.();
  }

  cut(reason: Exclude<CutReason, Withdrawal>): void {
    for (const { life } of this.#open.values()) life.cut(reason);
  }

  /** Resolves once none is open. */
  empty(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEmpty = resolve;
    });
  }
}
