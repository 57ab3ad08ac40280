import type { Entropy } from "./clock.ts";

/** `req_` and 128 random bits in hex: names a request in answers, receipts and spans. */
export function requestId(entropy: Entropy): string {
  let text = "req_";
  for (const byte of entropy.bytes(16)) text += hex[byte];
  return text;
}

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
