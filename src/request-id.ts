import type { Clock, Entropy } from "./clock.ts";

/**
 * `req_`, 48 bits of milliseconds and 80 random bits, in hex: names a request in answers, receipts and spans. In order of
 * time, so that stores append to their indexes instead of writing all over them.
 */
export function requestId(entropy: Entropy, clock: Pick<Clock, "nowMs">): string {
  let text = firstIdAt(clock.nowMs());
  for (const byte of entropy.bytes(10)) text += hex[byte];
  return text;
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** When a request began, by its id. An id of another form hides it, so that nothing counts as later. */
export function beganAtMs(id: string): number {
  return Number.parseInt(/^req_([0-9a-f]{12})/.exec(id)?.[1] ?? "0", 16);
}

/** Right before every id of a request that began at this time or later, in the order of text. */
export function firstIdAt(atMs: number): string {
  return `req_${atMs.toString(16).padStart(12, "0")}`;
}
