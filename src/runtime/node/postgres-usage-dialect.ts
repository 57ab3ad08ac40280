import { quarterMs } from "../../ledger/journal-reader.ts";
import type { UsageDialect } from "../sql/usage-statement.ts";

/** The name that `usageRow` reads a sum by, and the column of slices that has it. */
const columns: Readonly<Record<string, string>> = {
  requests: "requests",
  refused: "refused",
  unsettled: "unsettled",
  inputTokens: "input",
  unknown_inputTokens: "input_unknown",
  cachedInputTokens: "cached_input",
  unknown_cachedInputTokens: "cached_input_unknown",
  cacheWriteTokens: "cache_write",
  unknown_cacheWriteTokens: "cache_write_unknown",
  outputTokens: "output",
  unknown_outputTokens: "output_unknown",
  reasoningTokens: "reasoning",
  unknown_reasoningTokens: "reasoning_unknown",
  chargedTokens: "charged_tokens",
  costMicroUsd: "cost_micro_usd",
};

const kept = Object.values(columns).filter((column) => column !== "unsettled");
const from = (unsettled: number): string => `key_id, model, region, "end", ${kept.join(", ")}, ${unsettled} AS unsettled`;

/** All that there is to sum, each receipt in one of the three: in a slice, in a part that is not merged yet, or unsettled. */
const all = `(
  SELECT tenant_id, quarter, ${from(0)} FROM strait.usage_slice
  UNION ALL SELECT tenant_id, quarter, ${from(0)} FROM strait.usage_part
  UNION ALL SELECT tenant_id, started_at_ms / ${quarterMs}, ${from(1)}
    FROM strait.receipt CROSS JOIN LATERAL strait.usage_of(document) WHERE unsettled
) AS summed`;

/** Usage from the sums that PostgreSQL keeps. */
export const postgresUsageDialect: UsageDialect = {
  table: all,
  time: { column: "quarter", unitMs: quarterMs },
  dimensions: {
    day: "day.name",
    tenant: "tenant_id",
    model: "model",
    key: "key_id",
    region: "nullif(region, '')",
    end: `"end"`,
  },
  sums: Object.entries(columns).map(([name, column]) => `sum(${column}) AS "${name}"`),
  placeholder: (number) => `$${number}`,
  daysFrom: (placeholder) =>
    `jsonb_to_recordset(CAST(${placeholder} AS jsonb)) AS day (name text, from_time bigint, to_time bigint)`,
};
