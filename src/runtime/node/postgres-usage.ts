import type { UsageDimension, UsageQuery } from "../../ledger/journal-reader.ts";
import { daysBetween } from "../../ledger/usage-days.ts";
import type { UsageGroup, UsageRow, UsageSums } from "../../ledger/usage-sums.ts";
import type { Usage } from "../../upstream/usage.ts";
import type { Statement } from "./postgres-pool.ts";

/** What each dimension is in a receipt's row; `day` comes from a table that goes along with the question. */
const dimensions: Readonly<Record<UsageDimension, string>> = {
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

/** `sumsOf` of the core, in the database's words: the contract suite holds the two together. */
const sums: readonly string[] = [
  `count(*) AS "requests"`,
  `count(*) FILTER (WHERE (document->>'status')::int >= 400) AS "refused"`,
  `count(*) FILTER (WHERE unsettled) AS "unsettled"`,
  ...counts.flatMap((count) => [
    `coalesce(sum((document->'usage'->>'${count}')::bigint), 0) AS "${count}"`,
    `count(*) FILTER (WHERE document->'usage'->>'${count}' IS NULL) AS "unknown_${count}"`,
  ]),
  `coalesce(sum((document->>'chargedTokens')::bigint), 0) AS "chargedTokens"`,
  `coalesce(sum((document->>'costMicroUsd')::bigint), 0) AS "costMicroUsd"`,
];

/** 64-bit numbers come as text. */
export type SumsRow = Readonly<Record<string, string | null>>;

/** One statement, hence as of one moment. Gives up to one group more than were asked for, by which too many are known. */
export function usageStatement({ tenantId, fromMs, toMs, by, timeZone, most }: UsageQuery): {
  readonly statement: Statement;
  readonly values: readonly unknown[];
} {
  const values: unknown[] = [fromMs, toMs, most + 1];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const ofTenant = tenantId === undefined ? "" : `AND tenant_id = ${bind(tenantId)}`;
  const days = by.includes("day") ? joinDays([...daysBetween(fromMs, toMs, timeZone)], bind) : "";
  const groups = by.map((dimension, index) => `${dimensions[dimension]} AS g${index}`);
  const text = `SELECT ${[...groups, ...sums].join(", ")} FROM strait.receipt ${days}
    WHERE started_at_ms >= $1 AND started_at_ms < $2 ${ofTenant}
    ${by.length === 0 ? "HAVING count(*) > 0" : `GROUP BY ${by.map((_, index) => `g${index}`).join(", ")}`} LIMIT $3`;
  return { statement: { name: `usage-${tenantId === undefined ? "all" : "one"}-${by.join("-")}`, text }, values };
}

function joinDays(days: readonly { day: string; fromMs: number; toMs: number }[], bind: (value: unknown) => string): string {
  const [names, begins, ends] = [days.map(({ day }) => day), days.map(({ fromMs }) => fromMs), days.map(({ toMs }) => toMs)];
  return `JOIN unnest(${bind(names)}::text[], ${bind(begins)}::bigint[], ${bind(ends)}::bigint[]) AS day (name, from_ms, to_ms)
    ON started_at_ms >= day.from_ms AND started_at_ms < day.to_ms`;
}

export function usageRow(row: SumsRow, by: readonly UsageDimension[]): UsageRow {
  const group: UsageGroup = Object.fromEntries(by.map((dimension, index) => [dimension, row[`g${index}`] ?? undefined]));
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
