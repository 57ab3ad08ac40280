import type { MerkleHasher } from "../../transparency/merkle.ts";
import type { LogEntry, LogPlace, StoredCheckpoint } from "../../transparency/log-store.ts";
import type { LeafRun } from "../../transparency/deletion-statement.ts";
import { appendLeaves, openTiles } from "../../transparency/tiles.ts";
import type { SqlDatabase } from "./database.ts";

interface StateRow {
  readonly id: string;
  readonly size: number;
  readonly first_receipt: number;
  readonly receipts: number;
  readonly refusals: number;
}

interface Row {
  readonly sequence: number;
  readonly document: string;
}

interface RunRow {
  readonly source: number;
  readonly first_sequence: number;
  readonly first_leaf: number;
  readonly count: number;
}

const receipts = 0;
const refusals = 1;
const deletions = 2;

/** The tables of the journal that retention deletes from. */
export type LoggedTable = "receipt" | "receipt_earlier" | "refusal";

const sourceOf: Readonly<Record<LoggedTable, number>> = { receipt: receipts, receipt_earlier: receipts, refusal: refusals };

const nextReceipts = `SELECT sequence, document FROM receipt WHERE sequence > ?1
  UNION ALL SELECT sequence, document FROM receipt_earlier WHERE sequence > ?1 ORDER BY sequence LIMIT ?2`;
const nextRefusals = "SELECT sequence, document FROM refusal WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";

const receiptRows = `SELECT sequence, document FROM receipt WHERE sequence BETWEEN ?1 AND ?2
  UNION ALL SELECT sequence, document FROM receipt_earlier WHERE sequence BETWEEN ?1 AND ?2`;
const refusalRows = "SELECT sequence, document FROM refusal WHERE sequence BETWEEN ?1 AND ?2";
const deletionRows = "SELECT sequence, document FROM deletion WHERE sequence BETWEEN ?1 AND ?2";
const rowsOf = [receiptRows, refusalRows, deletionRows] as const;

/** The tree over the journal on SQLite; `integrate` and `keepCheckpoint` belong inside a transaction of the database's owner. */
export class SqlTree {
  readonly #database: SqlDatabase;
  readonly #hasher: MerkleHasher;

  constructor(database: SqlDatabase, hasher: MerkleHasher) {
    this.#database = database;
    this.#hasher = hasher;
  }

  origin(): string {
    return `strait/${this.#state().id}`;
  }

  size(): number {
    return this.#state().size;
  }

  /** Receipts before refusals; each in the order in which they were written. */
  integrate(most: number): number {
    const state = this.#state();
    const fromReceipts = this.#database.all<Row>(nextReceipts, state.receipts, most);
    const fromRefusals = this.#database.all<Row>(nextRefusals, state.refusals, most - fromReceipts.length);
    const rows = [...fromReceipts, ...fromRefusals];
    if (rows.length === 0) return 0;
    this.#writeRuns(receipts, state.size, fromReceipts);
    this.#writeRuns(refusals, state.size + fromReceipts.length, fromRefusals);
    this.#append(state.size, rows);
    this.#database.run(
      "UPDATE tree_state SET receipts = ?, refusals = ?",
      fromReceipts.at(-1)?.sequence ?? state.receipts,
      fromRefusals.at(-1)?.sequence ?? state.refusals,
    );
    return rows.length;
  }

  /** Up to which row a table's rows are in the tree. */
  taken(table: LoggedTable): number {
    const state = this.#state();
    return sourceOf[table] === receipts ? state.receipts : state.refusals;
  }

  /** Which entry a row is; `undefined` for one from before the log, and `unsigned` where no checkpoint covers it yet. */
  signedLeaf(table: LoggedTable, sequence: number): number | "unsigned" | undefined {
    if (sourceOf[table] === receipts && sequence < this.#state().first_receipt) return undefined;
    const leaf = this.#leafOf(sourceOf[table], sequence);
    return leaf < (this.checkpoint(undefined)?.size ?? 0) ? leaf : "unsigned";
  }

  /**
   * Notes that documents of entries were deleted. What is said of it becomes an entry in the same transaction: an audit
   * that finds a document gone finds the reason as well, whenever it looks.
   */
  forget(leaves: readonly LeafRun[], retentionClass: string, atMs: number, document: string): void {
    for (const [first, count] of leaves) {
      const sql = "INSERT INTO tree_forgotten (first_leaf, count, class, at_ms) VALUES (?, ?, ?, ?)";
      this.#database.run(sql, first, count, retentionClass, atMs);
    }
    const rows = this.#database.all<Row>("INSERT INTO deletion (document) VALUES (?) RETURNING sequence, document", document);
    const { size } = this.#state();
    this.#writeRuns(deletions, size, rows);
    this.#append(size, rows);
  }

  tile(level: number, index: number): Uint8Array {
    const sql = "SELECT hashes FROM tree_tile WHERE level = ? AND tile = ?";
    const [row] = this.#database.all<{ hashes: Uint8Array | ArrayBuffer }>(sql, level, index);
    if (row === undefined) throw new Error(`the tree has no tile ${index} of level ${level}`);
    // Durable Objects give bytes as a buffer.
    return row.hashes instanceof Uint8Array ? row.hashes : new Uint8Array(row.hashes);
  }

  place(tenantId: string, requestId: string): LogPlace {
    const state = this.#state();
    for (const [source, table, first, last] of [
      [receipts, "receipt", state.first_receipt, state.receipts],
      [refusals, "refusal", 1, state.refusals],
    ] as const) {
      const sql = `SELECT sequence, document FROM ${table} WHERE request_id = ? AND tenant_id = ?`;
      const [row] = this.#database.all<Row>(sql, requestId, tenantId);
      if (row === undefined) continue;
      if (row.sequence < first) return { kind: "before_log" };
      return row.sequence > last
        ? { kind: "waiting" }
        : { kind: "in_tree", leafIndex: this.#leafOf(source, row.sequence), document: row.document };
    }
    return { kind: "absent" };
  }

  entries(from: number, count: number): LogEntry[] {
    const end = Math.min(this.size(), from + count);
    const documents = new Map<number, string>();
    const dropped = new Map<number, number>();
    for (const run of this.#runsWithin(from, end)) {
      if (run.first_leaf >= from) dropped.set(run.first_leaf, this.#droppedBefore(run));
      const begin = Math.max(from, run.first_leaf);
      const offset = run.first_sequence - run.first_leaf;
      const last = Math.min(end, run.first_leaf + run.count) - 1;
      const sql = rowsOf[run.source];
      if (sql === undefined) throw new Error(`the tree knows no journal ${run.source}`);
      for (const { sequence, document } of this.#database.all<Row>(sql, begin + offset, last + offset))
        documents.set(sequence - offset, document);
    }
    const forgotten = this.#forgottenWithin(from, end);
    return Array.from({ length: Math.max(0, end - from) }, (_, index) => ({
      leafIndex: from + index,
      document: documents.get(from + index),
      forgotten: forgotten(from + index),
      droppedBefore: dropped.get(from + index) ?? 0,
      inJournal: "same",
    }));
  }

  checkpoint(size: number | undefined): StoredCheckpoint | undefined {
    const [row] =
      size === undefined
        ? this.#database.all<{ size: number; at_ms: number; note: string }>(
            "SELECT size, at_ms, note FROM tree_checkpoint ORDER BY size DESC LIMIT 1",
          )
        : this.#database.all<{ size: number; at_ms: number; note: string }>(
            "SELECT size, at_ms, note FROM tree_checkpoint WHERE size >= ? ORDER BY size LIMIT 1",
            size,
          );
    return row === undefined ? undefined : { size: row.size, atMs: row.at_ms, note: row.note };
  }

  keepCheckpoint({ size, atMs, note }: StoredCheckpoint): void {
    this.#database.run(
      "INSERT INTO tree_checkpoint (size, at_ms, note) VALUES (?, ?, ?) ON CONFLICT (size) DO NOTHING",
      size,
      atMs,
      note,
    );
  }

  #append(size: number, rows: readonly Row[]): void {
    const open = openTiles(size).map((tile) => ({ ...tile, hashes: this.tile(tile.level, tile.index) }));
    const leaves = rows.map(({ document }) => this.#hasher.leafOfText(document));
    for (const { level, index, hashes } of appendLeaves(size, open, leaves, this.#hasher)) {
      this.#database.run(
        "INSERT INTO tree_tile (level, tile, hashes) VALUES (?, ?, ?) ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes",
        level,
        index,
        hashes,
      );
    }
    this.#database.run("UPDATE tree_state SET size = ?", size + rows.length);
  }

  #state(): StateRow {
    const [row] = this.#database.all<StateRow>("SELECT id, size, first_receipt, receipts, refusals FROM tree_state");
    if (row === undefined) throw new Error("the tree has no state");
    return row;
  }

  /** Rows with neighbouring row ids are one run; a run that goes on where the last one ended is no new one. */
  #writeRuns(source: number, firstLeaf: number, rows: readonly Row[]): void {
    let begin = 0;
    while (begin < rows.length) {
      let end = begin + 1;
      const first = (rows[begin] as Row).sequence;
      while (end < rows.length && (rows[end] as Row).sequence === first + end - begin) end += 1;
      this.#writeRun({ source, first_sequence: first, first_leaf: firstLeaf + begin, count: end - begin });
      begin = end;
    }
  }

  #writeRun({ source, first_sequence: first, first_leaf: leaf, count }: RunRow): void {
    const last = this.#runBefore(source, first);
    if (last !== undefined && last.first_sequence + last.count === first && last.first_leaf + last.count === leaf) {
      const sql = "UPDATE tree_run SET count = count + ? WHERE source = ? AND first_sequence = ?";
      this.#database.run(sql, count, source, last.first_sequence);
      return;
    }
    const sql = "INSERT INTO tree_run (source, first_sequence, first_leaf, count) VALUES (?, ?, ?, ?)";
    this.#database.run(sql, source, first, leaf, count);
  }

  #runBefore(source: number, sequence: number): RunRow | undefined {
    return this.#database.all<RunRow>(
      "SELECT * FROM tree_run WHERE source = ? AND first_sequence <= ? ORDER BY first_sequence DESC LIMIT 1",
      source,
      sequence,
    )[0];
  }

  /** Row ids have no gaps, and what has one was taken in or is gone; within a run nothing is missing. */
  #droppedBefore({ source, first_sequence: first }: RunRow): number {
    const last = this.#runBefore(source, first - 1);
    if (last !== undefined) return first - last.first_sequence - last.count;
    return first - (source === receipts ? this.#state().first_receipt : 1);
  }

  #leafOf(source: number, sequence: number): number {
    const run = this.#runBefore(source, sequence);
    if (run === undefined || sequence >= run.first_sequence + run.count)
      throw new Error("the tree does not know a row that it took");
    return run.first_leaf + sequence - run.first_sequence;
  }

  #runsWithin(from: number, end: number): RunRow[] {
    return this.#database.all<RunRow>(
      `SELECT * FROM tree_run WHERE first_leaf < ?2
       AND first_leaf >= coalesce((SELECT max(first_leaf) FROM tree_run WHERE first_leaf <= ?1), 0) ORDER BY first_leaf`,
      from,
      end,
    );
  }

  #forgottenWithin(from: number, end: number): (leafIndex: number) => string | undefined {
    const runs = this.#database.all<{ first_leaf: number; count: number; class: string }>(
      `SELECT first_leaf, count, class FROM tree_forgotten WHERE first_leaf < ?2
       AND first_leaf >= coalesce((SELECT max(first_leaf) FROM tree_forgotten WHERE first_leaf <= ?1), 0)`,
      from,
      end,
    );
    return (leaf) => runs.find((run) => leaf >= run.first_leaf && leaf < run.first_leaf + run.count)?.class;
  }
}
