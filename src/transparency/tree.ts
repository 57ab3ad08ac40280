import { consistencyRanges, inclusionRanges, leftSize, type Hash, type MerkleHasher, type Range } from "./merkle.ts";
import { nodeInTile, tileOf } from "./tiles.ts";

/** A tile's hashes, at least as many as the tree needs; rejects where it is not there. */
export type ReadTile = (level: number, index: number) => Promise<Uint8Array>;

/** A tree as it was when it had `size` entries, read from tiles that may hold more by now. */
export class Tree {
  readonly size: number;
  readonly #read: ReadTile;
  readonly #hasher: MerkleHasher;
  readonly #tiles = new Map<string, Promise<Uint8Array>>();

  constructor(size: number, read: ReadTile, hasher: MerkleHasher) {
    this.size = size;
    this.#read = read;
    this.#hasher = hasher;
  }

  root(): Promise<Hash> {
    return this.size === 0 ? Promise.resolve(this.#hasher.empty()) : this.#hashOf({ begin: 0, end: this.size });
  }

  /** Shows that entry `index`, which is one of the tree's, stands there. */
  inclusion(index: number): Promise<Hash[]> {
    return Promise.all(inclusionRanges(index, this.size).map((range) => this.#hashOf(range)));
  }

  /** Shows that this tree begins with the one that it was at `earlier` entries, no more than it has. */
  consistency(earlier: number): Promise<Hash[]> {
    const ranges = earlier === 0 ? [] : consistencyRanges(earlier, this.size);
    return Promise.all(ranges.map((range) => this.#hashOf(range)));
  }

  /** The hash of entry `index`. */
  leaf(index: number): Promise<Hash> {
    return this.#node(0, index);
  }

  async #hashOf({ begin, end }: Range): Promise<Hash> {
    const count = end - begin;
    const height = Math.log2(count);
    // Such a range always begins at a multiple of its length, so it is one node of the tree.
    if (Number.isInteger(height)) return this.#node(height, begin / count);
    const middle = begin + leftSize(count);
    const left = await this.#hashOf({ begin, end: middle });
    return this.#hasher.node(left, await this.#hashOf({ begin: middle, end }));
  }

  async #node(height: number, position: number): Promise<Hash> {
    const { level, index } = tileOf(height, position);
    const name = `${level}/${index}`;
    let tile = this.#tiles.get(name);
    if (tile === undefined) {
      tile = this.#read(level, index);
      this.#tiles.set(name, tile);
    }
    return nodeInTile(await tile, height, position, this.#hasher);
  }
}
