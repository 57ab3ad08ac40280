interface Entry<Item> {
  readonly atMs: number;
  readonly item: Item;
}

/** What is to happen, earliest first: a binary heap. */
export class Agenda<Item> {
  readonly #entries: Entry<Item>[] = [];

  get size(): number {
    return this.#entries.length;
  }

  add(atMs: number, item: Item): void {
    const entries = this.#entries;
    let at = entries.push({ atMs, item }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#timeAt(parent) <= atMs) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** The earliest, where it is due by `untilMs`. */
  takeUntil(untilMs: number): Entry<Item> | undefined {
    const entries = this.#entries;
    const [first] = entries;
    if (first === undefined || first.atMs > untilMs) return undefined;
    this.#swap(0, entries.length - 1);
    entries.pop();
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const earlier = this.#timeAt(left + 1) < this.#timeAt(left) ? left + 1 : left;
      if (this.#timeAt(earlier) >= this.#timeAt(at)) return first;
      this.#swap(at, earlier);
      at = earlier;
    }
  }

  /** Beyond the end nothing is due. */
  #timeAt(index: number): number {
    return this.#entries[index]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  #swap(one: number, other: number): void {
    const [first, second] = [this.#entries[one], this.#entries[other]];
    if (first === undefined || second === undefined) return;
    this.#entries[one] = second;
    this.#entries[other] = first;
  }
}
