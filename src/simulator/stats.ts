/** What became of a simulated answer: `cut` is a fault's doing, `cancelled` the client's. */
export type AnswerEnd = "completed" | "cancelled" | "cut";

export interface RegionStats {
  readonly requests: number;
  /** Begun and not ended. */
  readonly open: number;
  readonly completed: number;
  readonly cancelled: number;
  readonly cut: number;
  readonly bytes: number;
  /** Server-sent events, of streams only. */
  readonly events: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Answers by status, as begun. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** Counts what one region has served. */
export class StatsCounter {
  #requests = 0;
  #open = 0;
  readonly #ends: Record<AnswerEnd, number> = { completed: 0, cancelled: 0, cut: 0 };
  readonly #statuses: Record<string, number> = {};
  bytes = 0;
  events = 0;
  inputTokens = 0;
  outputTokens = 0;

  /** Counts a request as open; the returned function ends it, and only its first call counts. */
  begin(): (end: AnswerEnd) => void {
    this.#requests++;
    this.#open++;
    let ended = false;
    return (end) => {
      if (ended) return;
      ended = true;
      this.#open--;
      this.#ends[end]++;
    };
  }

  status(status: number): void {
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
  }

  read(): RegionStats {
    return {
      requests: this.#requests,
      open: this.#open,
      ...this.#ends,
      bytes: this.bytes,
      events: this.events,
      inputTokens: this.inputTokens,
      outputTokens: this.outputTokens,
      statuses: { ...this.#statuses },
    };
  }
}
