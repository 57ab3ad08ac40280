import { sumColumns } from "../sql/usage-entry.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

const counted = ["requests", "charged_tokens", "charged_input", "charged_output", "cost_micro_usd"];
const summed = [...new Set([...sumColumns, ...counted])];

/** Any number that nothing else in the database uses. */
const mergeLock = 0x73756d73;

/** In the order of the table's key, as every writer of it goes. */
function merge(table: string, key: string, sums: readonly string[]): string {
  return `INSERT INTO strait.${table} (${key}, ${sums.join(", ")})
    SELECT ${key}, ${sums.map((name) => `sum(${name})`).join(", ")} FROM taken GROUP BY ${key} ORDER BY ${key}
    ON CONFLICT (${key}) DO UPDATE SET ${sums.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(", ")}`;
}

/**
 * In one statement, hence all of it or nothing: whoever reads finds a part's sums in one place and never in two. Should
 * two ever do it at once, each part is deleted by one of them. The lock only spares the second the wait for the first.
 */
const mergeParts: Statement = {
  name: "usage-merge",
  text: `WITH taken AS (
      DELETE FROM strait.usage_part WHERE ctid = ANY (ARRAY(SELECT ctid FROM strait.usage_part LIMIT $1))
        AND (SELECT pg_try_advisory_xact_lock(${mergeLock})) RETURNING *
    ), usage AS (${merge("usage_slice", `tenant_id, quarter, key_id, model, region, "end"`, summed)}),
    used AS (${merge("used_slice", "tenant_id, quarter, key_id, model, end_user", counted)})
    SELECT count(*)::int AS merged FROM taken`,
};

/** A fraction of a second's work for the server. */
const mostParts = 5_000;
/** What is left after so many batches is for the next time. */
const mostBatches = 200;

/** Merges the sums that come with receipts into slices, so that what is to be read does not grow with them. Any replica may do it. */
export class PostgresUsageSlices {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async keepUp(): Promise<void> {
    for (let batch = 0; batch < mostBatches; batch += 1) {
      const [row] = await this.#pool.repeatable<{ merged: number }>(mergeParts, [mostParts]);
      if (row === undefined || row.merged < mostParts) return;
    }
  }
}
