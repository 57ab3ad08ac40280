import { TooManyGroups, type JournalReader, type ScanQuery, type UsageQuery } from "../../ledger/journal-reader.ts";
import type { Receipt, RefusalReceipt } from "../../ledger/receipt.ts";
import type { UsageRow } from "../../ledger/usage-sums.ts";
import { firstIdAt } from "../../request-id.ts";
import { usageRow, usageStatement, type SumsRow } from "../sql/usage-statement.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { isStorable } from "./postgres-text.ts";
import { postgresUsageDialect } from "./postgres-usage-dialect.ts";
import type { PostgresWriters } from "./postgres-writers.ts";

const after = "started_at_ms >= $1 AND started_at_ms < $2 AND (started_at_ms, request_id, tenant_id) > ($1, $3, $4)";

const scanAll: Statement = {
  name: "receipt-scan",
  text: `SELECT document FROM strait.receipt WHERE ${after} ORDER BY started_at_ms, request_id, tenant_id LIMIT $5`,
};

const scanTenant: Statement = {
  name: "receipt-scan-tenant",
  text: `SELECT document FROM strait.receipt WHERE ${after} AND tenant_id = $6 ORDER BY started_at_ms, request_id LIMIT $5`,
};

const refusals = `refused AND document IS NOT NULL AND request_id >= $1 AND request_id < $2
  AND (request_id, tenant_id) > ($3, $4)`;

const scanAllRefusals: Statement = {
  name: "refusal-scan",
  text: `SELECT document FROM strait.log_entry WHERE ${refusals} ORDER BY request_id, tenant_id LIMIT $5`,
};

const scanRefusalsOfTenant: Statement = {
  name: "refusal-scan-tenant",
  text: `SELECT document FROM strait.log_entry WHERE ${refusals} AND tenant_id = $6 ORDER BY request_id LIMIT $5`,
};

/** Reads what all replicas wrote, over connections of its own: a long report must not stand in a request's way. */
export class PostgresReader implements JournalReader {
  readonly #pool: PostgresPool;
  readonly #writers: PostgresWriters;

  constructor(pool: PostgresPool, writers: PostgresWriters) {
    this.#pool = pool;
    this.#writers = writers;
  }

  async scan({ tenantId, fromMs, toMs, after, count }: ScanQuery): Promise<readonly Receipt[]> {
    if (tenantId !== undefined && !isStorable(tenantId)) return [];
    // No receipt has an empty id, so this stands right before the period's first.
    const begin =
      after !== undefined && after.startedAtMs >= fromMs ? after : { startedAtMs: fromMs, requestId: "", tenantId: "" };
    const values = [begin.startedAtMs, toMs, begin.requestId, begin.tenantId, count];
    const rows = await (tenantId === undefined
      ? this.#pool.repeatable<{ document: Receipt }>(scanAll, values)
      : this.#pool.repeatable<{ document: Receipt }>(scanTenant, [...values, tenantId]));
    return rows.map(({ document }) => document);
  }

  async scanRefusals({ tenantId, fromMs, toMs, after, count }: ScanQuery): Promise<readonly RefusalReceipt[]> {
    if (tenantId !== undefined && !isStorable(tenantId)) return [];
    const values = [firstIdAt(fromMs), firstIdAt(toMs), after?.requestId ?? "", after?.tenantId ?? "", count];
    const rows = await (tenantId === undefined
      ? this.#pool.repeatable<{ document: string }>(scanAllRefusals, values)
      : this.#pool.repeatable<{ document: string }>(scanRefusalsOfTenant, [...values, tenantId]));
    return rows.map(({ document }) => JSON.parse(document) as RefusalReceipt);
  }

  async usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    if (query.tenantId !== undefined && !isStorable(query.tenantId)) return [];
    const { name, text, values } = usageStatement(query, postgresUsageDialect);
    const rows = await this.#pool.repeatable<SumsRow>({ name, text }, values);
    if (rows.length > query.most) throw new TooManyGroups(query.most);
    return rows.map((row) => usageRow(row, query.by));
  }

  completeUntilMs(): Promise<number> {
    return this.#writers.completeUntilMs();
  }
}
