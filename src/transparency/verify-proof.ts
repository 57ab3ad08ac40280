import { bytesEqual } from "../bytes.ts";
import type { Hash, MerkleHasher } from "./merkle.ts";

/** Whether `path` shows that `leaf` is entry `index` of the tree of `size` entries with this root: RFC 9162, 2.1.3.2. */
export function verifyInclusion(
  leaf: Hash,
  index: number,
  size: number,
  path: readonly Hash[],
  root: Hash,
  hasher: MerkleHasher,
): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      hash = hasher.node(sibling, hash);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else hash = hasher.node(hash, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && bytesEqual(hash, root);
}

export interface TreeHead {
  /** Entries. */
  readonly size: number;
  readonly root: Hash;
}

/** Whether `path` shows that the later tree begins with all of the earlier one, in its order: RFC 9162, 2.1.4.2. */
export function verifyConsistency(earlier: TreeHead, later: TreeHead, path: readonly Hash[], hasher: MerkleHasher): boolean {
  if (!isCount(earlier.size) || !isCount(later.size) || earlier.size > later.size) return false;
  if (earlier.size === later.size) return path.length === 0 && bytesEqual(earlier.root, later.root);
  // Every tree begins with the empty one.
  if (earlier.size === 0) return path.length === 0 && bytesEqual(earlier.root, hasher.empty());
  let [node, last] = [earlier.size - 1, later.size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  // A tree that is one whole subtree of the later one is not repeated in the proof.
  const [first, ...rest] = node === 0 ? [earlier.root, ...path] : path;
  if (first === undefined) return false;
  let [old, young] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return false;
    if (isOdd(node) || node === last) {
      old = hasher.node(sibling, old);
      young = hasher.node(sibling, young);
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    } else young = hasher.node(young, sibling);
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && bytesEqual(old, earlier.root) && bytesEqual(young, later.root);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

// Without bit operators, which cut numbers off at 32 bits.
function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}
