import { longestAdmissionMs, quarterMs, TooManyGroups, type JournalReader } from "../../ledger/journal-reader.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import { sliceKey, type SliceRow } from "../sql/usage-slices.ts";
import { sumColumns } from "../sql/usage-entry.ts";
import { usageRow, usageStatement, type SumsRow, type UsageDialect } from "../sql/usage-statement.ts";

/**
 * - `receipt`: a copy of every tenant's receipts, for what is asked across tenants.
 * - `usage_slice`: sums over them as each tenant's object keeps them. They outlast the receipts; what is unsettled is in none.
 * - `waiting`: the tenants whose object has receipts to hand over or requests in flight, and since when.
 */
const schema: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS receipt (tenant_id TEXT NOT NULL, request_id TEXT NOT NULL, started_at_ms INTEGER NOT NULL,
    unsettled INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY (tenant_id, request_id)) WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS receipt_order ON receipt (started_at_ms, request_id, tenant_id)",
  "CREATE INDEX IF NOT EXISTS receipt_unsettled ON receipt (started_at_ms) WHERE unsettled = 1",
  `CREATE TABLE IF NOT EXISTS usage_slice (
    tenant_id TEXT NOT NULL, quarter INTEGER NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL, region TEXT NOT NULL, end TEXT NOT NULL,
    ${sumColumns.map((column) => `${column} INTEGER NOT NULL`).join(", ")}, PRIMARY KEY (${sliceKey.join(", ")})) WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS usage_slice_by_time ON usage_slice (quarter)",
  "CREATE TABLE IF NOT EXISTS waiting (tenant_id TEXT PRIMARY KEY, since_ms INTEGER NOT NULL) WITHOUT ROWID",
];

/** As in the journal: only an unsettled receipt gives way, and only to one that knows more. */
const take = `INSERT INTO receipt (tenant_id, request_id, started_at_ms, unsettled, document)
  SELECT value->>'tenantId', value->>'requestId', value->>'startedAtMs', value->>'end' = 'unsettled', value FROM json_each(?1) WHERE true
  ON CONFLICT (tenant_id, request_id) DO UPDATE SET started_at_ms = excluded.started_at_ms, unsettled = 0, document = excluded.document
  WHERE receipt.unsettled = 1 AND excluded.unsettled = 0`;

const sliceColumns = [...sliceKey, ...sumColumns];

/** Slices come whole, so that it does not matter how often. */
const takeSlices = `INSERT INTO usage_slice (${sliceColumns.join(", ")})
  SELECT ${sliceColumns.map((column) => `value->>'${column}'`).join(", ")} FROM json_each(?1) WHERE true
  ON CONFLICT (${sliceKey.join(", ")}) DO UPDATE SET ${sumColumns.map((column) => `${column} = excluded.${column}`).join(", ")}`;

const scan = `SELECT document FROM receipt
  WHERE started_at_ms >= ?1 AND started_at_ms < ?2 AND (started_at_ms, request_id, tenant_id) > (?1, ?3, ?4)
  ORDER BY started_at_ms, request_id, tenant_id LIMIT ?5`;

const counted = {
  input: "inputTokens",
  cached_input: "cachedInputTokens",
  cache_write: "cacheWriteTokens",
  output: "outputTokens",
  reasoning: "reasoningTokens",
};

/** `sumsOf` of the core in SQL, of one receipt: the contract suite holds the two together. */
const sumsOfReceipt: Readonly<Record<string, string>> = {
  requests: "1",
  refused: "CAST(document->>'status' AS int) >= 400",
  unsettled: "unsettled",
  ...Object.fromEntries(
    Object.entries(counted).flatMap(([column, name]) => [
      [column, `coalesce(document->'usage'->>'${name}', 0)`],
      [`${column}_unknown`, `document->'usage'->>'${name}' IS NULL`],
    ]),
  ),
  charged_tokens: "coalesce(document->>'chargedTokens', 0)",
  cost_micro_usd: "coalesce(document->>'costMicroUsd', 0)",
};

const dialect: UsageDialect = {
  slices: `SELECT tenant_id, quarter, key_id, model, region, end, ${sumColumns.join(", ")}, 0 AS unsettled FROM usage_slice
    UNION ALL SELECT tenant_id, started_at_ms / ${quarterMs}, document->>'keyId', document->>'model', coalesce(document->>'region', ''),
      document->>'end', ${[...sumColumns, "unsettled"].map((column) => sumsOfReceipt[column]).join(", ")} FROM receipt WHERE unsettled = 1`,
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

  /** Takes receipts over, each once, with the slices that they are in; documents as the journal has them. */
  async take(documents: readonly string[], slices: readonly SliceRow[]): Promise<void> {
    await this.#runAll([take, `[${documents.join(",")}]`], [takeSlices, JSON.stringify(slices)]);
  }

  /** Deletes the copies of receipts of a tenant. */
  async forget(tenantId: string, requestIds: readonly string[]): Promise<void> {
    const sql = "DELETE FROM receipt WHERE tenant_id = ?1 AND request_id IN (SELECT value FROM json_each(?2))";
    await this.#run(sql, tenantId, JSON.stringify(requestIds));
  }

  /** Deletes sums of a tenant, by their quarters of an hour since the epoch. */
  async forgetSlices(tenantId: string, quarters: readonly number[]): Promise<void> {
    const sql = "DELETE FROM usage_slice WHERE tenant_id = ?1 AND quarter IN (SELECT value FROM json_each(?2))";
    await this.#run(sql, tenantId, JSON.stringify(quarters));
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

  async #run<Row>(...statement: Statement): Promise<Row[]> {
    const [rows = []] = await this.#runAll<Row>(statement);
    return rows;
  }

  /** Statements in one transaction, with what each gives. The first that asks of a database makes its tables. */
  async #runAll<Row>(...statements: readonly Statement[]): Promise<Row[][]> {
    try {
      return await this.#ask<Row>(statements);
    } catch (error) {
      if (!String(error).includes("no such table"))
        throw new StoreUnavailable("the query view cannot be reached", { cause: error });
    }
    try {
      await this.#database.batch(schema.map((statement) => this.#database.prepare(statement)));
      return await this.#ask<Row>(statements);
    } catch (error) {
      throw new StoreUnavailable("the query view cannot be reached", { cause: error });
    }
  }

  async #ask<Row>(statements: readonly Statement[]): Promise<Row[][]> {
    const bound = statements.map(([sql, ...values]) => this.#database.prepare(sql).bind(...values));
    return (await this.#database.batch<Row>(bound)).map(({ results }) => results);
  }
}

type Statement = readonly [sql: string, ...values: readonly (string | number)[]];
