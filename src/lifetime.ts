/** Why an exchange is stopped from outside before its answer is complete. */
export type CutReason = "client_cancelled" | "deadline_passed" | "revoked" | "shutting_down";

/**
 * How long an exchange lives. Whoever may end it early (the client's hang-up, the deadline, a revocation, a shutdown)
 * cuts this one thing, and whoever holds something open listens. The first reason stands.
 */
export class Lifetime {
  #reason: CutReason | undefined;
  #listener: ((reason: CutReason) => void) | undefined;

  get reason(): CutReason | undefined {
    return this.#reason;
  }

  cut(reason: CutReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#listener?.(reason);
  }

  /** One step at a time holds something open, so there is one listener; the next step's replaces it. Told at once if already cut. */
  onCut(listener: ((reason: CutReason) => void) | undefined): void {
    this.#listener = listener;
    if (this.#reason !== undefined) listener?.(this.#reason);
  }
}
