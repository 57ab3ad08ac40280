import { journalText } from "../../ledger/journal-text.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { hex } from "../../tenant/key.ts";
import type { MerkleHasher } from "../../transparency/merkle.ts";
import type { SqlDatabase } from "./database.ts";
import { nextReceipt } from "./next-row.ts";
import { writeEntry } from "./usage-entry.ts";

interface DocumentRow {
  readonly document: string;
}

/** The journal's logic on SQLite; writes belong inside a transaction of the database's owner. */
export class SqlJournal {
  readonly #database: SqlDatabase;
  readonly #hasher: MerkleHasher;

  constructor(database: SqlDatabase, hasher: MerkleHasher) {
    this.#database = database;
    this.#hasher = hasher;
  }

  append(receipt: Receipt): void {
    const inserted = this.#database.run(
      `INSERT INTO receipt (sequence, tenant_id, request_id, started_at_ms, response_id, unsettled, usage, document)
       VALUES (${nextReceipt}, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (tenant_id, request_id) DO NOTHING`,
      receipt.tenantId,
      receipt.requestId,
      receipt.startedAtMs,
      receipt.responseId ?? null,
      receipt.end === "unsettled" ? 1 : 0,
      writeEntry(receipt),
      journalText(receipt),
    );
    if (!inserted && receipt.end !== "unsettled") this.#correct(receipt);
  }

  /**
   * Only an unsettled receipt gives way, and only to one that knows more: a second report of an end changes nothing. What
   * changes moves to the end, where those who read on from a row id find it; what it was stays beside it, for the tree.
   */
  #correct(receipt: Receipt): void {
    const { tenantId, requestId } = receipt;
    const which = "tenant_id = ? AND request_id = ? AND unsettled = 1";
    const [earlier] = this.#database.all<DocumentRow>(`SELECT document FROM receipt WHERE ${which}`, tenantId, requestId);
    if (earlier === undefined) return;
    this.#database.run(
      `INSERT INTO receipt_earlier (sequence, tenant_id, request_id, started_at_ms, document)
       SELECT sequence, tenant_id, request_id, started_at_ms, document FROM receipt WHERE ${which}`,
      tenantId,
      requestId,
    );
    const corrects = hex(this.#hasher.leafOfText(earlier.document));
    this.#database.run(
      `UPDATE receipt SET sequence = ${nextReceipt}, started_at_ms = ?, response_id = ?, unsettled = 0,
       usage = ?, document = ? WHERE ${which}`,
      receipt.startedAtMs,
      receipt.responseId ?? null,
      writeEntry(receipt),
      journalText({ ...receipt, corrects }),
      tenantId,
      requestId,
    );
  }

  find(tenantId: string, requestId: string): Receipt | undefined {
    return this.#first("SELECT document FROM receipt WHERE tenant_id = ? AND request_id = ?", tenantId, requestId);
  }

  list(tenantId: string, beforeMs: number | undefined, count: number): Receipt[] {
    const rows = this.#database.all<DocumentRow>(
      "SELECT document FROM receipt WHERE tenant_id = ? AND started_at_ms < ? ORDER BY started_at_ms DESC, sequence DESC LIMIT ?",
      tenantId,
      beforeMs ?? Number.MAX_SAFE_INTEGER,
      count,
    );
    return rows.map(read);
  }

  findResponse(tenantId: string, responseId: string): Receipt | undefined {
    // Later calls about a stored response may carry its id as well; the exchange that made it is the first.
    const sql = "SELECT document FROM receipt WHERE tenant_id = ? AND response_id = ? ORDER BY started_at_ms, sequence LIMIT 1";
    return this.#first(sql, tenantId, responseId);
  }

  #first(sql: string, tenantId: string, id: string): Receipt | undefined {
    const [row] = this.#database.all<DocumentRow>(sql, tenantId, id);
    return row === undefined ? undefined : read(row);
  }
}

/** JSON leaves out what is `undefined`, and reading it back finds `undefined` there again. */
function read(row: DocumentRow): Receipt {
  return JSON.parse(row.document) as Receipt;
}
