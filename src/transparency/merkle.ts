import type { Sha256Bytes } from "../hashes.ts";

/** Of an entry or of a subtree: 32 bytes. */
export type Hash = Uint8Array;

export const hashLength = 32;

/** Half-open: the entries from `begin` up to, and without, `end`. */
export interface Range {
  readonly begin: number;
  readonly end: number;
}

/**
 * The hashes of RFC 9162, section 2.1. Leaves and nodes begin with different bytes: without that, a node could be shown
 * for a leaf.
 */
export class MerkleHasher {
  readonly #sha256: Sha256Bytes;
  /** One for all nodes: hashing does not wait. */
  readonly #nodeBytes = Uint8Array.from({ length: 1 + 2 * hashLength }, (_, index) => (index === 0 ? 1 : 0));

  constructor(sha256: Sha256Bytes) {
    this.#sha256 = sha256;
  }

  leaf(entry: Uint8Array): Hash {
    const bytes = new Uint8Array(1 + entry.length);
    bytes.set(entry, 1);
    return this.#sha256(bytes);
  }

  /** Of a text's UTF-8. That of U+0000 is the byte which leaves begin with, so nothing is copied. */
  leafOfText(text: string): Hash {
    return this.#sha256(`\u0000${text}`);
  }

  node(left: Hash, right: Hash): Hash {
    this.#nodeBytes.set(left, 1);
    this.#nodeBytes.set(right, 1 + hashLength);
    return this.#sha256(this.#nodeBytes);
  }

  empty(): Hash {
    return this.#sha256(new Uint8Array());
  }
}

/** The size of the left subtree: the greatest power of two that is smaller than `count`, which is at least 2. */
export function leftSize(count: number): number {
  let size = 1;
  while (size * 2 < count) size *= 2;
  return size;
}

/** The subtrees whose hashes show that entry `index` is in a tree of `size` entries, nearest to the leaf first. */
export function inclusionRanges(index: number, size: number): Range[] {
  const path: Range[] = [];
  let range: Range = { begin: 0, end: size };
  while (range.end - range.begin > 1) {
    const middle = range.begin + leftSize(range.end - range.begin);
    const [left, right]: [Range, Range] = [
      { begin: range.begin, end: middle },
      { begin: middle, end: range.end },
    ];
    path.unshift(index < middle ? right : left);
    range = index < middle ? left : right;
  }
  return path;
}

/** The subtrees whose hashes show that a tree of `size` entries begins with the one of `earlier`, which has one at least. */
export function consistencyRanges(earlier: number, size: number): Range[] {
  const path: Range[] = [];
  let range: Range = { begin: 0, end: size };
  // Whether `range` begins where the earlier tree does: its own hash is then known to whoever knows that tree's root.
  let isOld = true;
  while (range.end !== earlier) {
    const middle = range.begin + leftSize(range.end - range.begin);
    const [left, right]: [Range, Range] = [
      { begin: range.begin, end: middle },
      { begin: middle, end: range.end },
    ];
    if (earlier <= middle) {
      path.unshift(right);
      range = left;
    } else {
      path.unshift(left);
      range = right;
      isOld = false;
    }
  }
  return isOld ? path : [range, ...path];
}

/** A tree's root, leaf by leaf, with only as much kept as the next leaf needs. */
export class GrowingRoot {
  readonly #hasher: MerkleHasher;
  /** Roots of complete subtrees, the largest first: one for each bit of the size. */
  readonly #subtrees: { readonly size: number; readonly hash: Hash }[] = [];
  size = 0;

  constructor(hasher: MerkleHasher) {
    this.#hasher = hasher;
  }

  add(leaf: Hash): void {
    let grown = { size: 1, hash: leaf };
    while (this.#subtrees.at(-1)?.size === grown.size) {
      const left = this.#subtrees.pop()?.hash as Hash;
      grown = { size: grown.size * 2, hash: this.#hasher.node(left, grown.hash) };
    }
    this.#subtrees.push(grown);
    this.size += 1;
  }

  root(): Hash {
    const [last, ...larger] = this.#subtrees.map(({ hash }) => hash).toReversed();
    return larger.reduce((right, left) => this.#hasher.node(left, right), last ?? this.#hasher.empty());
  }
}
