import type { Amounts } from "../limit.ts";
import { Tally } from "./tally.ts";

/** What was asked for lately: of a window that is over and the one that runs. */
export class Demand {
  readonly #windowMs: number;
  #beganAtMs = Number.NEGATIVE_INFINITY;
  #current = new Tally();
  #previous = new Tally();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  add(hold: Amounts, nowMs: number): void {
    this.#roll(nowMs);
    this.#current.add(hold);
  }

  /** How many requests a window has. Of the one that runs, what came so far; where that is more, load is rising. */
  requests(nowMs: number): number {
    this.#roll(nowMs);
    return Math.max(this.#previous.of("requests"), this.#current.of("requests"));
  }

  /** What the next window may ask for, for `least` requests or more; nothing where nothing was asked. */
  expected(least: number, nowMs: number): Amounts | undefined {
    this.#roll(nowMs);
    // So a load that begins doubles its slice each time, and one that is steady has a window's worth.
    const [tally, times] =
      2 * this.#current.of("requests") > this.#previous.of("requests") ? [this.#current, 2] : [this.#previous, 1];
    const requests = times * tally.of("requests");
    return requests === 0 ? undefined : tally.amounts(times * Math.max(1, Math.ceil(least / requests)));
  }

  #roll(nowMs: number): void {
    const sinceMs = nowMs - this.#beganAtMs;
    if (sinceMs < this.#windowMs) return;
    [this.#previous, this.#current] = [this.#current, this.#previous];
    this.#current.clear();
    if (sinceMs >= 2 * this.#windowMs) this.#previous.clear();
    this.#beganAtMs = nowMs;
  }
}
