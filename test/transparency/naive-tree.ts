import { createHash } from "node:crypto";

/** RFC 9162, section 2.1, word for word and as slow as it reads. */
export function naiveRoot(entries: readonly Uint8Array[]): Uint8Array {
  if (entries.length === 0) return sha256(new Uint8Array());
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) return sha256(Uint8Array.of(0), only);
  const k = split(entries.length);
  return sha256(Uint8Array.of(1), naiveRoot(entries.slice(0, k)), naiveRoot(entries.slice(k)));
}

export function naiveInclusion(index: number, entries: readonly Uint8Array[]): Uint8Array[] {
  if (entries.length === 1) return [];
  const k = split(entries.length);
  return index < k
    ? [...naiveInclusion(index, entries.slice(0, k)), naiveRoot(entries.slice(k))]
    : [...naiveInclusion(index - k, entries.slice(k)), naiveRoot(entries.slice(0, k))];
}

export function naiveConsistency(earlier: number, entries: readonly Uint8Array[]): Uint8Array[] {
  return subproof(earlier, entries, true);
}

function subproof(m: number, entries: readonly Uint8Array[], isOld: boolean): Uint8Array[] {
  if (m === entries.length) return isOld ? [] : [naiveRoot(entries)];
  const k = split(entries.length);
  return m <= k
    ? [...subproof(m, entries.slice(0, k), isOld), naiveRoot(entries.slice(k))]
    : [...subproof(m - k, entries.slice(k), false), naiveRoot(entries.slice(0, k))];
}

function split(count: number): number {
  let k = 1;
  while (k * 2 < count) k *= 2;
  return k;
}

function sha256(...pieces: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
