import { longestAdmissionMs, TooManyGroups, type JournalReader } from "../../ledger/journal-reader.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import {
  receiptDimensions,
  receiptSums,
  usageRow,
  usageStatement,
  type SumsRow,
  type UsageDialect,
} from "../sql/usage-statement.ts";

/**
 * - `receipt`: a copy of every tenant's receipts, for what is asked across tenants.
 * - `waiting`: the tenants whose object has receipts to hand over or requests in flight, and since when.
 */
const schema: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS receipt (tenant_id TEXT NOT NULL, request_id TEXT NOT NULL, started_at_ms INTEGER NOT NULL,
    unsettled INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (tenant_id, request_id)) WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS receipt_order ON receipt (started_at_ms, request_id, tenant_id)",
  "CREATE TABLE IF NOT EXISTS waiting (tenant_id TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID",
];

/** As in the journal: only an unsettled receipt gives way, and only to one that knows more. */
const take = `INSERT INTO receipt (tenant_id, request_id, started_at_ms, unsettled, document)
  SELECT value->>'tenantId', value->>'requestId', value->>'startedAtMs', value->>'end' = 'unsettled', value FROM json_each(?1) WHERE true
  ON CONFLICT (tenant_id, request_id) DO UPDATE SET started_at_ms = excluded.started_at_ms, unsettled = 0, document = excluded.document
  WHERE receipt.unsettled = 1 AND excluded.unsettled = 0`;

const scan = `SELECT document FROM receipt
  WHERE started_at_ms >= ?1 AND started_at_ms < ?2 AND (started_at_ms, request_id, tenant_id) > (?1, ?3, ?4)
  ORDER BY started_at_ms, request_id, tenant_id LIMIT ?5`;

const dialect: UsageDialect = {
  table: "receipt",
  time: { column: "started_at_ms", unitMs: 1 },
  dimensions: receiptDimensions,
  sums: receiptSums,
  placeholder: (number) => `?${number}`,
  daysFrom: (placeholder) =>
    `(SELECT value->>'name' AS name, value->>'from_time' AS from_time, value->>'to_time' AS to_time FROM json_each(${placeholder})) AS day`,
};

/**
 * What operators ask across tenants, on D1. A copy that is some seconds behind: the truth about a tenant is in the
 * tenant's own object, which hands its receipts over here.
 */
export class QueryView {
  readonly #database: D1Database;

  constructor(database: D1Database) {
    this.#database = database;
  }

  /** Takes receipts over, each once; documents as the journal has them. */
  async take(documents: readonly string[]): Promise<void> {
    await this.#run(take, `[${documents.join(",")}]`);
  }

  /** From this time on the tenant has something to hand over; `undefined`: it has nothing any more. */
  async waits(tenantId: string, sinceMs: number | undefined): Promise<void> {
    if (sinceMs === undefined) await this.#run("DELETE FROM waiting WHERE tenant_id = ?1", tenantId);
    else {
      const sql =
        "INSERT INTO waiting (tenant_id, since_ms) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET since_ms = excluded.since_ms";
      await this.#run(sql, tenantId, sinceMs);
    }
  }

  /** Of questions across tenants. `completeUntilMs` counts on every object to tell within `longestAdmissionMs` that it is at work. */
  reader(nowMs: () => number): JournalReader {
    return {
      scan: async ({ fromMs, toMs, after, count }) => {
        const begin =
          after !== undefined && after.startedAtMs >= fromMs ? after : { startedAtMs: fromMs, requestId: "", tenantId: "" };
        const bounds = [begin.startedAtMs, toMs, begin.requestId, begin.tenantId, count];
        const rows = await this.#run<{ document: string }>(scan, ...bounds);
        return rows.map(({ document }) => JSON.parse(document) as Receipt);
      },
      // The view has receipts alone.
      scanRefusals: async () => undefined,
      usage: async (query) => {
        const { text, values } = usageStatement(query, dialect);
        const rows = await this.#run<SumsRow>(text, ...values);
        if (rows.length > query.most) throw new TooManyGroups(query.most);
        return rows.map((row) => usageRow(row, query.by));
      },
      completeUntilMs: async () => {
        const settledMs = nowMs() - longestAdmissionMs;
        const [row] = await this.#run<{ since: number | null }>("SELECT min(since_ms) AS since FROM waiting");
        return Math.min(settledMs, row?.since ?? settledMs);
      },
    };
  }

  async #run<Row>(sql: string, ...values: readonly (string | number)[]): Promise<Row[]> {
    try {
      return await this.#ask<Row>(sql, values);
    } catch (error) {
      if (!String(error).includes("no such table"))
        throw new StoreUnavailable("the query view cannot be reached", { cause: error });
    }
    return this.#askNew<Row>(sql, values);
  }

  /** The first that asks of a database makes its tables. */
  async #askNew<Row>(sql: string, values: readonly (string | number)[]): Promise<Row[]> {
    try {
      await this.#database.batch(schema.map((statement) => this.#database.prepare(statement)));
      return await this.#ask<Row>(sql, values);
    } catch (error) {
      throw new StoreUnavailable("the query view cannot be reached", { cause: error });
    }
  }

  async #ask<Row>(sql: string, values: readonly (string | number)[]): Promise<Row[]> {
    const statement = this.#database.prepare(sql).bind(...values);
    return (await statement.all<Row>()).results;
  }
}
