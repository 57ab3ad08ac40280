import { hash, randomFillSync } from "node:crypto";
import type { Clock, Entropy, Sha256 } from "../../clock.ts";

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** For how long something was trusted must not depend on a wall clock that somebody sets. Not since any epoch. */
export const monotonicClock: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, callback) => systemClock.after(delayMs, callback),
};

/** Drawn in bulk: a system call for every few bytes would cost more than what they are for. */
class PooledEntropy implements Entropy {
  readonly #pool = new Uint8Array(8_192);
  #used = this.#pool.length;

  bytes(count: number): Uint8Array {
    if (count > this.#pool.length) return randomFillSync(new Uint8Array(count));
    if (this.#used + count > this.#pool.length) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    // A copy, and the pool forgets: what was handed out once is never handed out again.
    const bytes = this.#pool.slice(this.#used, this.#used + count);
    this.#pool.fill(0, this.#used, this.#used + count);
    this.#used += count;
    return bytes;
  }
}

export const systemEntropy: Entropy = new PooledEntropy();

export const sha256: Sha256 = (text) => hash("sha256", text, "buffer");
