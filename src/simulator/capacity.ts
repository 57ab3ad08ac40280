import type { Clock } from "../clock.ts";

const windowMs = 60_000;

/**
 * What a provider's rate headers show: the shared capacity of a deployment in this minute. It is never enforced, so it
 * goes below zero under load, as real ones have been seen to.
 */
export class Capacity {
  readonly #clock: Clock;
  #windowStartMs = 0;
  #requests = 0;
  #tokens = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts one request and says what is left of the minute. */
  take(tokens: number, tokensPerMinute: number): CapacityLeft {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs;
      this.#requests = 0;
      this.#tokens = 0;
    }
    this.#requests++;
    this.#tokens += tokens;
    const requestsPerMinute = Math.max(1, Math.floor((tokensPerMinute * 6) / 1000));
    return {
      requestsPerMinute,
      requests: requestsPerMinute - this.#requests,
      tokensPerMinute,
      tokens: tokensPerMinute - this.#tokens,
      resetMs: this.#windowStartMs + windowMs - nowMs,
    };
  }
}

export interface CapacityLeft {
  readonly requestsPerMinute: number;
  readonly requests: number;
  readonly tokensPerMinute: number;
  readonly tokens: number;
  readonly resetMs: number;
}
