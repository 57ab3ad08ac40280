import type { CutReason, Lifetime } from "./lifetime.ts";

/** The exchanges of this process that hold a reservation, so that they can be cut and waited for. */
export class OpenExchanges {
  readonly #open = new Map<string, Lifetime>();
  #whenEmpty: (() => void) | undefined;

  get count(): number {
    return this.#open.size;
  }

  add(id: string, life: Lifetime): void {
    this.#open.set(id, life);
  }

  delete(id: string): void {
    this.#open.delete(id);
    if (this.#open.size === 0) this.#whenEmpty?.();
  }

  cut(reason: CutReason): void {
    for (const life of this.#open.values()) life.cut(reason);
  }

  /** Resolves once none is open. */
  empty(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEmpty = resolve;
    });
  }
}
