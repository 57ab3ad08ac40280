import { createHash } from "node:crypto";
import type { Clock, Entropy, Sha256 } from "../../clock.ts";

/** Workerd's time stands still while code runs and moves with each wait, which is all that deadlines need. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export const systemEntropy: Entropy = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};

export const sha256: Sha256 = (text) => createHash("sha256").update(text).digest();
