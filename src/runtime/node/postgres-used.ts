import { quarterMs } from "../../ledger/journal-reader.ts";
import type { UsedAmounts, UsedQuery, UsedReader } from "../../ledger/used-amounts.ts";
import { isStorable } from "./postgres-text.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

type Row = Readonly<Record<"requests" | "tokens" | "input" | "output" | "micro_usd", string>> & {
  readonly key_id: string;
  readonly model: string;
  readonly end_user: string;
};

const columns = "key_id, model, end_user, requests, charged_tokens, charged_input, charged_output, cost_micro_usd";
const quarters = "tenant_id = $1 AND quarter >= $2 AND quarter < $3";
const receipts = `strait.receipt CROSS JOIN LATERAL strait.usage_of(document)
  WHERE tenant_id = $1 AND started_at_ms / ${quarterMs} >= $2 AND started_at_ms / ${quarterMs} < $3`;

/** What is left out is in slices or parts where it is settled, and is taken off again. */
const used: Statement = {
  name: "usage-used-by-end-user",
  text: `SELECT key_id, model, CASE WHEN $5::boolean THEN end_user ELSE '' END AS end_user, sum(requests) AS requests, sum(charged_tokens) AS tokens, sum(charged_input) AS input,
      sum(charged_output) AS output, sum(cost_micro_usd) AS micro_usd
    FROM (
      SELECT ${columns} FROM strait.used_slice WHERE ${quarters}
      UNION ALL SELECT ${columns} FROM strait.usage_part WHERE ${quarters}
      UNION ALL SELECT ${columns} FROM ${receipts} AND unsettled AND request_id <> ALL ($4::text[])
      UNION ALL SELECT key_id, model, end_user, -requests, -charged_tokens, -charged_input, -charged_output, -cost_micro_usd
        FROM ${receipts} AND NOT unsettled AND request_id = ANY ($4::text[])
    ) AS charged GROUP BY 1, 2, 3 HAVING sum(requests) > 0`,
};

/** Summed by the server, from the sums that it keeps: as long as a day or a month has quarters, whatever is in them. */
export class PostgresUsed implements UsedReader {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async used({ tenantId, fromMs, toMs, except, byEndUser }: UsedQuery): Promise<readonly UsedAmounts[]> {
    if (!isStorable(tenantId)) return [];
    const rows = await this.#pool.repeatable<Row>(used, [tenantId, fromMs / quarterMs, toMs / quarterMs, [...except], byEndUser]);
    return rows.map((row) => ({
      keyId: row.key_id,
      model: row.model,
      endUser: row.end_user === "" ? undefined : row.end_user,
      amounts: {
        requests: Number(row.requests),
        tokens: Number(row.tokens),
        inputTokens: Number(row.input),
        outputTokens: Number(row.output),
        microUsd: Number(row.micro_usd),
      },
    }));
  }
}
