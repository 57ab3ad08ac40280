/**
 * Gathers what one turn of the event loop asks for and sends it as one statement. While all lanes are busy, what comes
 * gathers for the next one to be free: the slower the server, the larger the batches, and never a crowd of statements.
 */
export class PostgresBatch<Item> {
  readonly #send: (items: readonly Item[]) => Promise<void>;
  readonly #lanes: number;
  readonly #most: number;
  #queue: Item[] = [];
  #scheduled = false;
  #busy = 0;
  #whenIdle: (() => void)[] = [];

  /** `send` never rejects: it tells each item's owner how it went. At most `most` items go into one statement. */
  constructor(send: (items: readonly Item[]) => Promise<void>, lanes: number, most: number) {
    this.#send = send;
    this.#lanes = lanes;
    this.#most = most;
  }

  add(item: Item): void {
    this.#queue.push(item);
    if (this.#scheduled || this.#busy >= this.#lanes) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Resolves once nothing is queued and nothing under way. */
  idle(): Promise<void> {
    if (this.#queue.length === 0 && this.#busy === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle.push(resolve);
    });
  }

  #flush(): void {
    while (this.#busy < this.#lanes && this.#queue.length > 0) {
      const items = this.#queue.length <= this.#most ? this.#queue : this.#queue.slice(0, this.#most);
      this.#queue = this.#queue.slice(items.length);
      this.#busy++;
      void this.#send(items).then(() => this.#freed());
    }
  }

  #freed(): void {
    this.#busy--;
    this.#flush();
    if (this.#busy > 0 || this.#queue.length > 0) return;
    const resolves = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of resolves) resolve();
  }
}
