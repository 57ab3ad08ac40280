/**
 * Counts in buckets of which the older ones fade: whenever `keep` are counted, all are halved, so that what is usual now
 * outweighs what was usual once. Of a fixed size whatever passes through it.
 */
export class FadingHistogram {
  readonly #counts: Uint16Array;
  readonly #keep: number;
  #total = 0;

  /** `keep` is below 65,536. */
  constructor(buckets: number, keep: number) {
    this.#counts = new Uint16Array(buckets);
    this.#keep = keep;
  }

  get total(): number {
    return this.#total;
  }

  /** Counts one; what lies beyond the last bucket is counted there. */
  add(bucket: number): void {
    const index = Math.min(this.#counts.length - 1, Math.max(0, bucket));
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
    if (this.#total >= this.#keep) this.#fade();
  }

  /** The least bucket that at least `permille` of all counts lie in or below. */
  quantile(permille: number): number {
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index] ?? 0;
      if (seen * 1_000 >= this.#total * permille) return index;
    }
    return this.#counts.length - 1;
  }

  #fade(): void {
    let total = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      const halved = (this.#counts[index] ?? 0) >> 1;
      this.#counts[index] = halved;
      total += halved;
    }
    this.#total = total;
  }
}
