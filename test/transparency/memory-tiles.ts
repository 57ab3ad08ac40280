import { MerkleHasher, type Hash } from "../../src/transparency/merkle.ts";
import { appendLeaves, openTiles, type Tile } from "../../src/transparency/tiles.ts";
import { Tree } from "../../src/transparency/tree.ts";
import { sha256Bytes } from "./sha256.ts";

export const hasher: MerkleHasher = new MerkleHasher(sha256Bytes);

/** Tiles as a store keeps them. */
export class MemoryTiles {
  size = 0;
  readonly #tiles = new Map<string, Tile>();

  append(leaves: readonly Hash[]): void {
    const open = openTiles(this.size).map(({ level, index }) => this.#tile(level, index));
    for (const tile of appendLeaves(this.size, open, leaves, hasher)) this.#tiles.set(`${tile.level}/${tile.index}`, tile);
    this.size += leaves.length;
  }

  tree(size: number = this.size): Tree {
    return new Tree(size, async (level, index) => this.#tile(level, index).hashes, hasher);
  }

  #tile(level: number, index: number): Tile {
    const tile = this.#tiles.get(`${level}/${index}`);
    if (tile === undefined) throw new Error("no such tile");
    return tile;
  }
}
