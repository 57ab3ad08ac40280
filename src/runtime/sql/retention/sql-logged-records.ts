import type { DeletionRule, RecordPage, RetainedRecord } from "../../../retention/retained-records.ts";
import { stateDeletion } from "../../../retention/state-deletion.ts";
import { leafRuns } from "../../../transparency/deletion-statement.ts";
import type { SqlDatabase } from "../database.ts";
import type { LoggedTable, SqlTree } from "../tree.ts";
import { pageOf, type SqlRecords } from "./sql-records.ts";

interface Row {
  readonly sequence: number;
  readonly tenant_id: string;
  readonly started_at_ms: number;
  readonly model: string | null;
}

const statements = {
  receipt: {
    page: `SELECT sequence, tenant_id, started_at_ms, document->>'$.model' AS model FROM receipt
      WHERE sequence > ?1 AND sequence <= ?2 AND unsettled = 0 ORDER BY sequence LIMIT ?3`,
    forget: "DELETE FROM receipt WHERE sequence = ? AND unsettled = 0 RETURNING started_at_ms",
  },
  receipt_earlier: {
    page: `SELECT sequence, tenant_id, started_at_ms, document->>'$.model' AS model FROM receipt_earlier
      WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3`,
    forget: "DELETE FROM receipt_earlier WHERE sequence = ? RETURNING started_at_ms",
  },
  refusal: {
    page: `SELECT sequence, tenant_id, started_at_ms, NULL AS model FROM refusal
      WHERE sequence > ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3`,
    forget: "DELETE FROM refusal WHERE sequence = ? RETURNING started_at_ms",
  },
} as const;

/** Receipts and refusals: the documents go, and the tree keeps their hashes and says why they went. */
export class SqlLoggedRecords implements SqlRecords {
  readonly #database: SqlDatabase;
  readonly #tree: SqlTree;
  readonly #table: LoggedTable;
  readonly #readUntil: () => number;

  /** `readUntil` is up to which row whoever reads the table in its order has read it: sums of use, the hand-over to the view. */
  constructor(database: SqlDatabase, tree: SqlTree, table: LoggedTable, readUntil: () => number) {
    this.#database = database;
    this.#tree = tree;
    this.#table = table;
    this.#readUntil = readUntil;
  }

  get kind(): "receipts" | "refusals" {
    return this.#table === "refusal" ? "refusals" : "receipts";
  }

  page(from: string | undefined, beforeMs: number, most: number): RecordPage {
    const until = Math.min(this.#tree.taken(this.#table), this.#readUntil());
    const rows = this.#database.all<Row>(statements[this.#table].page, Number(from ?? 0), until, most);
    const records = rows.map((row) => ({
      id: String(row.sequence),
      tenantId: row.tenant_id,
      atMs: row.started_at_ms,
      model: row.model ?? undefined,
    }));
    return pageOf(records, beforeMs, most);
  }

  forget(records: readonly RetainedRecord[], rule: DeletionRule): number {
    const leaves: number[] = [];
    let count = 0;
    for (const sequence of records.map(({ id }) => Number(id)).toSorted((a, b) => a - b)) {
      const leaf = this.#tree.signedLeaf(this.#table, sequence);
      if (leaf === "unsigned") continue;
      const [gone] = this.#database.all<{ started_at_ms: number }>(statements[this.#table].forget, sequence);
      // Somebody else was faster, and said so.
      if (gone === undefined) continue;
      if (this.#table !== "refusal")
        this.#database.run("DELETE FROM receipt_order WHERE started_at_ms = ? AND sequence = ?", gone.started_at_ms, sequence);
      count += 1;
      if (leaf !== undefined) leaves.push(leaf);
    }
    if (leaves.length > 0) {
      const runs = leafRuns(leaves.toSorted((a, b) => a - b));
      this.#tree.forget(runs, rule.className, rule.atMs, stateDeletion(runs, rule));
    }
    return count;
  }
}
