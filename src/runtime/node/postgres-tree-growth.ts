import { hashLength, type MerkleHasher } from "../../transparency/merkle.ts";
import { appendLeaves, openTiles, tileWidth, type Tile } from "../../transparency/tiles.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

/**
 * The beginning of a statement that adds entries to the tree, with the first five values that it is given: those of `growth`.
 * Who finds the tree as large as they were made for has a row in `grown`, and nobody else; whatever else the statement writes
 * must depend on it. Of two that try at once the second waits for the first, and then does nothing: its size is not the
 * tree's any more.
 */
export const growTree = `WITH grown AS (
    UPDATE strait.log_state SET size = size + $2::bigint WHERE size = $1::bigint RETURNING size
  ), filled AS (
    INSERT INTO strait.log_tile (level, tile, hashes)
    SELECT level, tile, decode(hashes, 'hex') FROM unnest($3::smallint[], $4::bigint[], $5::text[]) AS changed (level, tile, hashes)
    WHERE EXISTS (SELECT FROM grown)
    ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes
  )`;

const state: Statement = { name: "log-state", text: "SELECT id, size FROM strait.log_state" };

const tile: Statement = { name: "log-tile", text: "SELECT hashes FROM strait.log_tile WHERE level = $1 AND tile = $2" };

export async function readTreeState(pool: PostgresPool): Promise<{ readonly id: string; readonly size: number }> {
  const [row] = await pool.repeatable<{ id: string; size: string }>(state, []);
  if (row === undefined) throw new Error("the tree has no state");
  return { id: row.id, size: Number(row.size) };
}

export async function readTile(pool: PostgresPool, level: number, index: number): Promise<Uint8Array> {
  const [row] = await pool.repeatable<{ hashes: Uint8Array }>(tile, [level, index]);
  if (row === undefined) throw new Error(`the tree has no tile ${index} of level ${level}`);
  return row.hashes;
}

/** The values for `growTree` that make these texts the next entries of a tree of `size` entries. */
export async function growth(
  pool: PostgresPool,
  hasher: MerkleHasher,
  size: number,
  documents: readonly string[],
): Promise<readonly unknown[]> {
  const open = documents.length === 0 ? [] : await Promise.all(openTiles(size).map((one) => openTile(pool, one, size)));
  const leaves = documents.map((document) => hasher.leafOfText(document));
  const changed = appendLeaves(size, open, leaves, hasher);
  return [
    size,
    leaves.length,
    changed.map(({ level }) => level),
    changed.map(({ index }) => index),
    changed.map(({ hashes }) => Buffer.from(hashes).toString("hex")),
  ];
}

/** As it was when the tree had `size` entries: another replica may have filled it further since. */
async function openTile(pool: PostgresPool, { level, index }: Pick<Tile, "level" | "index">, size: number): Promise<Tile> {
  const hashes = await readTile(pool, level, index);
  const count = Math.floor(size / tileWidth ** level) % tileWidth;
  return { level, index, hashes: hashes.subarray(0, count * hashLength) };
}
