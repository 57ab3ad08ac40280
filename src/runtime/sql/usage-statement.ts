import type { UsageDimension, UsageQuery } from "../../ledger/journal-reader.ts";
import { daysBetween, type Day } from "../../ledger/usage-days.ts";
import type { UsageGroup, UsageRow, UsageSums } from "../../ledger/usage-sums.ts";
import type { Usage } from "../../upstream/usage.ts";

/** What the two databases say differently. */
export interface UsageDialect {
  readonly table: string;
  /** The column of the table that tells when an exchange began, and its unit. */
  readonly time: { readonly column: string; readonly unitMs: number };
  readonly dimensions: Readonly<Record<UsageDimension, string>>;
  /** `usageRow` reads them by their names. */
  readonly sums: readonly string[];
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

/** What each dimension is in a receipt's row; `day` comes from a table that goes along with the question. */
export const receiptDimensions: UsageDialect["dimensions"] = {
  day: "day.name",
  tenant: "tenant_id",
  model: "document->>'model'",
  key: "document->>'keyId'",
  region: "document->>'region'",
  end: "document->>'end'",
};

const counts: readonly (keyof Usage)[] = [
  "inputTokens",
  "cachedInputTokens",
  "cacheWriteTokens",
  "outputTokens",
  "reasoningTokens",
];

/** `sumsOf` of the core in SQL, over receipts as they are: the contract suite holds the two together. */
export const receiptSums: UsageDialect["sums"] = [
  `count(*) AS "requests"`,
  `count(*) FILTER (WHERE CAST(document->>'status' AS int) >= 400) AS "refused"`,
  `count(*) FILTER (WHERE unsettled) AS "unsettled"`,
  ...counts.flatMap((count) => [
    `coalesce(sum(CAST(document->'usage'->>'${count}' AS bigint)), 0) AS "${count}"`,
    `count(*) FILTER (WHERE document->'usage'->>'${count}' IS NULL) AS "unknown_${count}"`,
  ]),
  `coalesce(sum(CAST(document->>'chargedTokens' AS bigint)), 0) AS "chargedTokens"`,
  `coalesce(sum(CAST(document->>'costMicroUsd' AS bigint)), 0) AS "costMicroUsd"`,
];

/** PostgreSQL gives 64-bit numbers as text. */
export type SumsRow = Readonly<Record<string, string | number | null>>;

/** One statement, hence as of one moment. Gives up to one group more than were asked for, by which too many are known. */
export function usageStatement(query: UsageQuery, dialect: UsageDialect): UsageStatement {
  const { tenantId, fromMs, toMs, by, timeZone, most } = query;
  const values: (string | number)[] = [];
  const bind = (value: string | number): string => dialect.placeholder(values.push(value));
  const { column, unitMs } = dialect.time;
  const days = by.includes("day") ? joinDays(daysBetween(fromMs, toMs, timeZone), dialect, bind) : "";
  const groups = by.map((dimension, index) => `${dialect.dimensions[dimension]} AS g${index}`);
  const text = `SELECT ${[...groups, ...dialect.sums].join(", ")} FROM ${dialect.table} ${days}
    WHERE ${column} >= ${bind(fromMs / unitMs)} AND ${column} < ${bind(toMs / unitMs)} ${tenantId === undefined ? "" : `AND tenant_id = ${bind(tenantId)}`}
    ${by.length === 0 ? "HAVING count(*) > 0" : `GROUP BY ${by.map((_, index) => `g${index}`).join(", ")}`} LIMIT ${bind(most + 1)}`;
  return { name: `usage-${tenantId === undefined ? "all" : "one"}-${by.join("-")}`, text, values };
}

function joinDays(days: Iterable<Day>, dialect: UsageDialect, bind: (value: string) => string): string {
  const { column, unitMs } = dialect.time;
  const table = [...days].map(({ day, fromMs, toMs }) => ({ name: day, from_time: fromMs / unitMs, to_time: toMs / unitMs }));
  return `JOIN ${dialect.daysFrom(bind(JSON.stringify(table)))} ON ${column} >= day.from_time AND ${column} < day.to_time`;
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
