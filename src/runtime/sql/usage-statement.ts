import { quarterMs, type UsageDimension, type UsageQuery } from "../../ledger/journal-reader.ts";
import { daysBetween, type Day } from "../../ledger/usage-days.ts";
import type { UsageGroup, UsageRow, UsageSums } from "../../ledger/usage-sums.ts";

/** What the two databases say differently. */
export interface UsageDialect {
  /**
   * All that there is to sum, as a table expression: `tenant_id`, `quarter` (of an hour since the epoch), `key_id`, `model`,
   * `region` (empty where none was reached), `"end"`, the `sumColumns` of kept slices, and `unsettled`, which is summed anew each time.
   */
  readonly slices: string;
  placeholder(number: number): string;
  /** A table `day (name, from_time, to_time)` of what is bound as JSON. */
  daysFrom(placeholder: string): string;
}

export interface UsageStatement {
  /** The same for the same question, whatever its bounds. */
  readonly name: string;
  readonly text: string;
  readonly values: readonly (string | number)[];
}

/** `day` comes from a table that goes along with the question. */
const dimensions: Readonly<Record<UsageDimension, string>> = {
  day: "day.name",
  tenant: "tenant_id",
  model: "model",
  key: "key_id",
  region: "nullif(region, '')",
  end: `"end"`,
};

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

const sums = Object.entries(columns).map(([name, column]) => `sum(${column}) AS "${name}"`);

/** PostgreSQL gives 64-bit numbers as text. */
export type SumsRow = Readonly<Record<string, string | number | null>>;

/** One statement, hence as of one moment. Gives up to one group more than were asked for, by which too many are known. */
export function usageStatement(query: UsageQuery, dialect: UsageDialect): UsageStatement {
  const { tenantId, fromMs, toMs, by, timeZone, most } = query;
  const values: (string | number)[] = [];
  const bind = (value: string | number): string => dialect.placeholder(values.push(value));
  const days = by.includes("day") ? joinDays(daysBetween(fromMs, toMs, timeZone), dialect, bind) : "";
  const groups = by.map((dimension, index) => `${dimensions[dimension]} AS g${index}`);
  const text = `SELECT ${[...groups, ...sums].join(", ")} FROM (${dialect.slices}) AS slice ${days}
    WHERE quarter >= ${bind(fromMs / quarterMs)} AND quarter < ${bind(toMs / quarterMs)} ${tenantId === undefined ? "" : `AND tenant_id = ${bind(tenantId)}`}
    ${by.length === 0 ? "HAVING count(*) > 0" : `GROUP BY ${by.map((_, index) => `g${index}`).join(", ")}`} LIMIT ${bind(most + 1)}`;
  return { name: `usage-${tenantId === undefined ? "all" : "one"}-${by.join("-")}`, text, values };
}

function joinDays(days: Iterable<Day>, dialect: UsageDialect, bind: (value: string) => string): string {
  const table = [...days].map(({ day, fromMs, toMs }) => ({
    name: day,
    from_time: fromMs / quarterMs,
    to_time: toMs / quarterMs,
  }));
  return `JOIN ${dialect.daysFrom(bind(JSON.stringify(table)))} ON quarter >= day.from_time AND quarter < day.to_time`;
}

export function usageRow(row: SumsRow, by: readonly UsageDimension[]): UsageRow {
  const group: UsageGroup = Object.fromEntries(by.map((dimension, index) => [dimension, text(row[`g${index}`])]));
  const number = (name: string): number => Number(row[name] ?? 0);
  const five = (prefix: string): UsageSums["tokens"] => ({
    inputTokens: number(`${prefix}inputTokens`),
    cachedInputTokens: number(`${prefix}cachedInputTokens`),
    cacheWriteTokens: number(`${prefix}cacheWriteTokens`),
    outputTokens: number(`${prefix}outputTokens`),
    reasoningTokens: number(`${prefix}reasoningTokens`),
  });
  return {
    group,
    sums: {
      requests: number("requests"),
      refused: number("refused"),
      unsettled: number("unsettled"),
      tokens: five(""),
      unknown: five("unknown_"),
      chargedTokens: number("chargedTokens"),
      costMicroUsd: number("costMicroUsd"),
    },
  };
}

function text(value: string | number | null | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value);
}
