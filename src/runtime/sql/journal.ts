import type { Receipt } from "../../ledger/receipt.ts";
import type { SqlDatabase } from "./database.ts";

interface DocumentRow {
  readonly document: string;
}

/** The journal's logic on SQLite; writes belong inside a transaction of the database's owner. */
export class SqlJournal {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  append(receipt: Receipt): void {
    const document = JSON.stringify(receipt);
    // Only an unsettled receipt gives way, and only to one that knows more: a second report of an end changes nothing.
    // What changes moves to the end, where those who read on from a row id find it.
    this.#database.run(
      `INSERT INTO receipt (tenant_id, request_id, started_at_ms, response_id, unsettled, document) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (tenant_id, request_id) DO UPDATE SET
         sequence = (SELECT max(sequence) + 1 FROM receipt),
         started_at_ms = excluded.started_at_ms, response_id = excluded.response_id, unsettled = 0, document = excluded.document
       WHERE unsettled = 1 AND excluded.unsettled = 0`,
      receipt.tenantId,
      receipt.requestId,
      receipt.startedAtMs,
      receipt.responseId ?? null,
      receipt.end === "unsettled" ? 1 : 0,
      document,
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
