import { quarterMs } from "../../ledger/journal-reader.ts";
import { sumColumns } from "../sql/usage-entry.ts";
import type { UsageDialect } from "../sql/usage-statement.ts";

const from = (unsettled: number): string => `key_id, model, region, "end", ${sumColumns.join(", ")}, ${unsettled} AS unsettled`;

/** Usage from the sums that PostgreSQL keeps: each receipt in a slice, in a part that is not merged yet, or unsettled. */
export const postgresUsageDialect: UsageDialect = {
  slices: `SELECT tenant_id, quarter, ${from(0)} FROM strait.usage_slice
    UNION ALL SELECT tenant_id, quarter, ${from(0)} FROM strait.usage_part
    UNION ALL SELECT tenant_id, started_at_ms / ${quarterMs}, ${from(1)}
      FROM strait.receipt CROSS JOIN LATERAL strait.usage_of(document) WHERE unsettled`,
  placeholder: (number) => `$${number}`,
  daysFrom: (placeholder) =>
    `jsonb_to_recordset(CAST(${placeholder} AS jsonb)) AS day (name text, from_time bigint, to_time bigint)`,
};
