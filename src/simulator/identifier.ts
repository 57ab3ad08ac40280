import type { Entropy } from "../clock.ts";
import type { Wire } from "../region/catalogue.ts";

/** A provider-shaped identifier: the prefix and 24 hexadecimal digits. */
export function identifier(prefix: string, entropy: Entropy): string {
  return prefix + hexadecimal(entropy.bytes(12));
}

/** Azure's are UUIDs; the others have a prefix. */
export function requestIdOf(wire: Wire, entropy: Entropy): string {
  if (wire !== "azure") return identifier("req_", entropy);
  const digits = hexadecimal(entropy.bytes(16));
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join("-");
}

function hexadecimal(bytes: Uint8Array): string {
  let digits = "";
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0");
  return digits;
}
