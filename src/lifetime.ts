/** Taken away by an operator, or by the gateway itself because an upstream contradicted its declared place. */
export type Withdrawal = "revoked" | "quarantined";

/** Why an exchange is stopped from outside before its answer is complete. */
export type CutReason = "client_cancelled" | "deadline_passed" | "shutting_down" | Withdrawal;

/**
 * How long an exchange lives. Whoever may end it early (the client's hang-up, the deadline, a revocation, a shutdown)
 * cuts this one thing, and whoever holds something open listens. The first reason stands.
 */
export class Lifetime {
  #reason: CutReason | undefined;
  #revokedBy: string | undefined;
  #listener: ((reason: CutReason) => void) | undefined;
  #left = false;
  #leaveListener: (() => void) | undefined;

  get reason(): CutReason | undefined {
    return this.#reason;
  }

  /** Where it was withdrawn: the order's id, or `key` or `tenant` where that itself was. */
  get revokedBy(): string | undefined {
    return this.#revokedBy;
  }

  /** Whether the client is gone. What is under way may go on for a while, to learn what it used; nothing new begins. */
  get left(): boolean {
    return this.#left;
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#leaveListener?.();
  }

  /** For the one step that writes to the client. Told at once if it is gone already. */
  onLeave(listener: () => void): void {
    this.#leaveListener = listener;
    if (this.#left) listener();
  }

  /** False where it was cut before. */
  cut(reason: CutReason, revokedBy?: string): boolean {
    if (this.#reason !== undefined) return false;
    this.#reason = reason;
    this.#revokedBy = revokedBy;
    this.#listener?.(reason);
    return true;
  }

  /** One step at a time holds something open, so there is one listener; the next step's replaces it. Told at once if already cut. */
  onCut(listener: ((reason: CutReason) => void) | undefined): void {
    this.#listener = listener;
    if (this.#reason !== undefined) listener?.(this.#reason);
  }
}
