/** When a circuit breaker opens and how long it stays so. */
export interface BreakerSettings {
  /** Failures in a row that open it. */
  readonly failures: number;
  /** How long the first opening lasts; each further one in a row twice as long, up to `longestOpenMs`. */
  readonly openMs: number;
  readonly longestOpenMs: number;
}

export const defaultBreaker: BreakerSettings = { failures: 5, openMs: 5_000, longestOpenMs: 60_000 };

type State =
  | { readonly name: "closed"; readonly failures: number }
  | { readonly name: "open"; readonly untilMs: number; readonly openings: number }
  | { readonly name: "half-open"; readonly openings: number; readonly probeSinceMs: number | undefined };

/**
 * Closed admits, open refuses, half-open admits one probe.
 *
 *     closed --failures in a row--> open --time--> half-open --probe succeeds--> closed
 *                                    ^                 |
 *                                    +--probe fails----+
 */
export class Breaker {
  readonly #settings: BreakerSettings;
  #state: State = { name: "closed", failures: 0 };

  constructor(settings: BreakerSettings = defaultBreaker) {
    this.#settings = settings;
  }

  stateAt(nowMs: number): "closed" | "open" | "half-open" {
    const state = this.#state;
    return state.name === "open" && nowMs >= state.untilMs ? "half-open" : state.name;
  }

  /** Whether a request may go now. */
  admits(nowMs: number): boolean {
    const state = this.#state;
    if (state.name === "closed") return true;
    if (state.name === "open") return nowMs >= state.untilMs;
    // A probe that was never reported, because its process stalled, must not keep the deployment out for ever.
    return state.probeSinceMs === undefined || nowMs - state.probeSinceMs > this.#settings.longestOpenMs;
  }

  /** Milliseconds until a request may go; 0 where it may now. */
  waitMs(nowMs: number): number {
    if (this.admits(nowMs)) return 0;
    return this.#state.name === "open" ? this.#state.untilMs - nowMs : this.#settings.openMs;
  }

  /** A request goes: in half-open it is the probe, and no other goes beside it. */
  begin(nowMs: number): void {
    const state = this.#state;
    if (state.name === "closed") return;
    this.#state = { name: "half-open", openings: state.openings, probeSinceMs: nowMs };
  }

  succeeded(): void {
    // Allocating only on a change keeps the common path free of garbage.
    if (this.#state.name !== "closed" || this.#state.failures > 0) this.#state = { name: "closed", failures: 0 };
  }

  failed(nowMs: number): void {
    const state = this.#state;
    if (state.name === "closed" && state.failures + 1 < this.#settings.failures) {
      this.#state = { name: "closed", failures: state.failures + 1 };
      return;
    }
    // A late failure of a request that began before it opened tells nothing new, and must not put the probe off.
    if (state.name === "open" || (state.name === "half-open" && state.probeSinceMs === undefined)) return;
    this.trip(nowMs);
  }

  /** Opens it at once, whatever was counted. */
  trip(nowMs: number): void {
    const state = this.#state;
    if (state.name === "open") return;
    const openings = state.name === "closed" ? 1 : state.openings + 1;
    const openMs = Math.min(this.#settings.longestOpenMs, this.#settings.openMs * 2 ** (openings - 1));
    this.#state = { name: "open", untilMs: nowMs + openMs, openings };
  }

  /**
   * The request that began at `beganMs` ended without telling anything of the deployment: its client left. If it was the
   * probe, its place is free again; one that began before the breaker opened has no place to give.
   */
  withdrawn(beganMs: number): void {
    const state = this.#state;
    if (state.name === "half-open" && state.probeSinceMs === beganMs) this.#state = { ...state, probeSinceMs: undefined };
  }
}
