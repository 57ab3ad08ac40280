import { concat } from "../bytes.ts";
import { hashLength, type Hash, type MerkleHasher } from "./merkle.ts";

/**
 * A tree is stored as tiles: tile `index` of level `n` holds, one behind the other, the hashes of up to 256 neighbouring
 * subtrees of 256^n entries each. What stands in a tile never changes; a tile only fills up. So a batch of entries writes
 * a few rows, however large the tree is, and a proof reads a few.
 */
export interface Tile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

const tileBits = 8;
export const tileWidth = 256;

/** The tiles that are begun and not full in a tree of `size` entries: those to which the next entries go. */
export function openTiles(size: number): Pick<Tile, "level" | "index">[] {
  const open: Pick<Tile, "level" | "index">[] = [];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / tileWidth)) {
    if (count % tileWidth !== 0) open.push({ level, index: Math.floor(count / tileWidth) });
  }
  return open;
}

/** Puts leaves behind the tree of `size` entries. `open` are its open tiles; given back are the tiles that changed. */
export function appendLeaves(size: number, open: readonly Tile[], leaves: readonly Hash[], hasher: MerkleHasher): Tile[] {
  const growing = new Map<number, GrowingTile>(open.map((tile) => [tile.level, { ...tile, hashes: split(tile.hashes) }]));
  const changed = new Set<GrowingTile>();
  const push = (level: number, position: number, hash: Hash): void => {
    const index = Math.floor(position / tileWidth);
    let tile = growing.get(level);
    if (tile?.index !== index) {
      tile = { level, index, hashes: [] };
      growing.set(level, tile);
    }
    if (tile.hashes.length !== position % tileWidth)
      throw new Error(`tile ${index} of level ${level} is not as full as its tree`);
    tile.hashes.push(hash);
    changed.add(tile);
    if (tile.hashes.length === tileWidth) push(level + 1, index, subtreeHash(tile.hashes, hasher));
  };
  for (const [offset, leaf] of leaves.entries()) push(0, size + offset, leaf);
  return Array.from(changed, (tile) => ({ ...tile, hashes: concat(tile.hashes) }));
}

interface GrowingTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Hash[];
}

/** The hash of a complete subtree of 2^`height` entries out of its tile. */
export function nodeInTile(tile: Uint8Array, height: number, position: number, hasher: MerkleHasher): Hash {
  const span = 2 ** (height % tileBits);
  const begin = (position * span) % tileWidth;
  const hashes = split(tile.subarray(begin * hashLength, (begin + span) * hashLength));
  if (hashes.length !== span) throw new Error("a tile is shorter than the tree that it is part of");
  return subtreeHash(hashes, hasher);
}

/** Which tile holds the subtree of 2^`height` entries at `position`. */
export function tileOf(height: number, position: number): Pick<Tile, "level" | "index"> {
  return {
    level: Math.floor(height / tileBits),
    index: Math.floor((position * 2 ** (height % tileBits)) / tileWidth),
  };
}

/** Of a number of hashes that is a power of two. */
function subtreeHash(hashes: readonly Hash[], hasher: MerkleHasher): Hash {
  let row = hashes;
  while (row.length > 1) {
    const above: Hash[] = [];
    for (let index = 0; index < row.length; index += 2) above.push(hasher.node(row[index] as Hash, row[index + 1] as Hash));
    row = above;
  }
  return row[0] as Hash;
}

function split(hashes: Uint8Array): Hash[] {
  return Array.from({ length: hashes.length / hashLength }, (_, index) =>
    hashes.subarray(index * hashLength, (index + 1) * hashLength),
  );
}
