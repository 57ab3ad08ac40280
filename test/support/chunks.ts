import fc from "fast-check";
import type { SeededEntropy } from "./seeded-entropy.ts";

const encoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** `bytes` cut at the given fractions of its length. */
export function cutAt(bytes: Uint8Array, fractions: readonly number[]): Uint8Array[] {
  const borders = [...new Set([0, ...fractions.map((fraction) => Math.floor(fraction * bytes.length)), bytes.length])].sort(
    (a, b) => a - b,
  );
  return borders.slice(1).map((end, index) => bytes.slice(borders[index] as number, end));
}

/** Where to cut: from not at all to very often. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
  maxLength: 24,
});

export function singleBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte) => Uint8Array.of(byte));
}

/** Cut into pieces of 1 to `longest` bytes. */
export function randomPieces(bytes: Uint8Array, entropy: SeededEntropy, longest: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = start + 1 + Math.floor(entropy.next() * longest);
    pieces.push(bytes.slice(start, end));
    start = end;
  }
  return pieces;
}

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    whole.set(piece, offset);
    offset += piece.length;
  }
  return whole;
}
