import type { UsageDocument, UsageSumsDocument } from "../../../ledger/usage-document.ts";
import type { Command, Input, Option } from "./command.ts";
import { table } from "./table.ts";
import { showMicroUsd } from "./values.ts";

export const periodOptions: readonly Option[] = [
  {
    name: "from",
    value: "TIME",
    help: "where the period begins: a day such as 2026-11-01, or a time such as 2026-11-01T08:00:00Z (default: the month's first)",
  },
  { name: "to", value: "TIME", help: "where it ends; that day or moment is no longer part of it (default: now)" },
  { name: "time-zone", value: "ZONE", help: "where days begin, such as Asia/Singapore (default: the tenant's, else UTC)" },
];

export const usageCommand: Command = {
  path: ["usage"],
  summary: "sum up what was used, of one tenant or of all",
  arguments: [{ name: "TENANT", help: "only this tenant", optional: true }],
  options: [
    ...periodOptions,
    { name: "by", value: "A,B", help: "what sums are apart by: day, tenant, model, key, region, end (default: day)" },
  ],
  notes:
    "Requests are those that were admitted; refused are those of them that ended with an error. What limits or policy refused is not counted.\n" +
    "Tokens are what upstreams reported; ~ marks sums to which some requests add an unknown count.",
  async run(input, session) {
    const query = periodQuery(input);
    const tenant = input.argument("TENANT");
    if (tenant !== undefined) query.set("tenant", tenant);
    const by = input.option("by");
    if (by !== undefined) query.set("by", by);
    const { document } = await session.client().send<UsageDocument>({ method: "GET", path: `/usage?${query.toString()}` });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const heads = document.by.map((dimension) => dimension.toUpperCase());
    const rows = document.usage.map((row) => [...document.by.map((dimension) => row[dimension]), ...sums(row)]);
    const total = document.by.map((_, index) => (index === 0 ? "total" : ""));
    session.print(
      table(
        [...heads, "REQUESTS", "REFUSED", "UNSETTLED", "INPUT", "CACHED", "OUTPUT", "CHARGED", "COST"],
        [...rows, [...total, ...sums(document.total)]],
      ),
    );
    session.remark(`From ${document.from} to ${document.to}, days in ${document.timeZone}.`);
  },
};

/** The period as the API takes it. */
export function periodQuery(input: Input): URLSearchParams {
  const query = new URLSearchParams();
  for (const [option, parameter] of [
    ["from", "from"],
    ["to", "to"],
    ["time-zone", "time_zone"],
  ] as const) {
    const value = input.option(option);
    if (value !== undefined) query.set(parameter, value);
  }
  return query;
}

function sums(row: UsageSumsDocument): (string | number)[] {
  const tokens = (name: "inputTokens" | "cachedInputTokens" | "outputTokens"): string =>
    `${row.unknown[name] > 0 ? "~" : ""}${row[name]}`;
  const counts = [tokens("inputTokens"), tokens("cachedInputTokens"), tokens("outputTokens")];
  return [row.requests, row.refused, row.unsettled, ...counts, row.chargedTokens, showMicroUsd(row.costMicroUsd)];
}
