import { journalText } from "../../ledger/journal-text.ts";
import type { ScanQuery } from "../../ledger/journal-reader.ts";
import type { RefusalReceipt } from "../../ledger/receipt.ts";
import { firstIdAt } from "../../request-id.ts";
import type { SqlDatabase } from "./database.ts";
import { nextRefusal } from "./next-row.ts";

/** The records of refusals on SQLite; writes belong inside a transaction of the database's owner. */
export class SqlRefusals {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  append(refusal: RefusalReceipt): void {
    this.#database.run(
      `INSERT INTO refusal (sequence, tenant_id, request_id, started_at_ms, document) VALUES (${nextRefusal}, ?, ?, ?, ?)
       ON CONFLICT (tenant_id, request_id) DO NOTHING`,
      refusal.tenantId,
      refusal.requestId,
      refusal.startedAtMs,
      journalText(refusal),
    );
  }

  /** The index on ids gives the order by time, for they begin with it. */
  scan({ tenantId, fromMs, toMs, after, count }: ScanQuery): RefusalReceipt[] {
    const rows = this.#database.all<{ document: string }>(
      `SELECT document FROM refusal INDEXED BY refusal_by_request
       WHERE request_id >= ? AND request_id < ? AND (request_id, tenant_id) > (?, ?) AND tenant_id = coalesce(?, tenant_id)
       ORDER BY request_id, tenant_id LIMIT ?`,
      firstIdAt(fromMs),
      firstIdAt(toMs),
      after?.requestId ?? "",
      after?.tenantId ?? "",
      tenantId ?? null,
      count,
    );
    return rows.map(({ document }) => JSON.parse(document) as RefusalReceipt);
  }

  find(tenantId: string, requestId: string): RefusalReceipt | undefined {
    const sql = "SELECT document FROM refusal WHERE tenant_id = ? AND request_id = ?";
    const [row] = this.#database.all<{ document: string }>(sql, tenantId, requestId);
    return row === undefined ? undefined : (JSON.parse(row.document) as RefusalReceipt);
  }
}
