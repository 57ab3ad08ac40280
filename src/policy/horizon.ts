/** An instant, and how long what was decided at it holds: each date that was compared with and still lies ahead brings the end nearer. */
export class Horizon {
  readonly atMs: number;
  #untilMs = Infinity;

  constructor(atMs: number) {
    this.atMs = atMs;
  }

  /** Milliseconds since the epoch; from here on the decision has to be made anew. */
  get untilMs(): number {
    return this.#untilMs;
  }

  isPast(instantMs: number): boolean {
    if (this.atMs >= instantMs) return true;
    if (instantMs < this.#untilMs) this.#untilMs = instantMs;
    return false;
  }
}
