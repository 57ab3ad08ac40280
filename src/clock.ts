/** Time comes in through the door, so that tests own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Calls back once after `delayMs`; the returned function cancels. A pending timer never keeps the process alive. */
  after(delayMs: number, callback: () => void): Cancel;
}

export type Cancel = () => void;

/** Randomness comes in through the door as well. */
export interface Entropy {
  /** `count` cryptographically random bytes. */
  bytes(count: number): Uint8Array;
}

/** SHA-256, synchronous: WebCrypto's is asynchronous, which costs a thread hop on every request. */
export type Sha256 = (text: string) => Uint8Array;

/** Resolves after `delayMs`, or at once where the signal aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const done = (): void => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(delayMs, done);
    signal?.addEventListener("abort", done);
  });
}
