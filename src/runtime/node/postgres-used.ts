import type { UsedAmounts, UsedQuery, UsedReader } from "../../ledger/used-amounts.ts";
import { isStorable } from "./postgres-text.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

type Row = Readonly<Record<"requests" | "tokens" | "input" | "output" | "micro_usd", string>> & {
  readonly key_id: string;
  readonly model: string;
  readonly end_user: string | null;
};

/** As `amountsCharged` says of one receipt. */
const used: Statement = {
  name: "receipt-used",
  text: `SELECT key_id, model, end_user, count(*) AS requests, sum(tokens) AS tokens, sum(coalesce(input, tokens)) AS input,
      sum(tokens - coalesce(input, 0)) AS output, sum(micro_usd) AS micro_usd
    FROM (
      SELECT document->>'keyId' AS key_id, document->>'model' AS model, document->>'endUser' AS end_user,
        (document->>'chargedTokens')::bigint AS tokens, (document->>'chargedInputTokens')::bigint AS input,
        (document->>'costMicroUsd')::bigint AS micro_usd
      FROM strait.receipt WHERE tenant_id = $1 AND started_at_ms >= $2 AND started_at_ms < $3 AND request_id <> ALL ($4::text[])
    ) AS charged GROUP BY key_id, model, end_user`,
};

/** Summed by the server: receipts do not travel. */
export class PostgresUsed implements UsedReader {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async used({ tenantId, fromMs, toMs, except }: UsedQuery): Promise<readonly UsedAmounts[]> {
    if (!isStorable(tenantId)) return [];
    const rows = await this.#pool.repeatable<Row>(used, [tenantId, fromMs, toMs, [...except]]);
    return rows.map((row) => ({
      keyId: row.key_id,
      model: row.model,
      endUser: row.end_user ?? undefined,
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
