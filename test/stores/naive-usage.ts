import { expect } from "vitest";
import { usageDimensions, type UsageQuery } from "../../src/ledger/journal-reader.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import type { UsageRow } from "../../src/ledger/usage-sums.ts";
import type { Usage } from "../../src/upstream/usage.ts";

const counts: readonly (keyof Usage)[] = [
  "inputTokens",
  "cachedInputTokens",
  "cacheWriteTokens",
  "outputTokens",
  "reasoningTokens",
];

/** Usage as one would sum it by hand, receipt by receipt. */
export function naiveUsage(receipts: readonly Receipt[], query: UsageQuery): UsageRow[] {
  const groups = new Map<string, Receipt[]>();
  for (const receipt of receipts) {
    if (receipt.startedAtMs < query.fromMs || receipt.startedAtMs >= query.toMs) continue;
    // Sweden writes dates as ISO does, and the runtime knows each zone's clocks: no arithmetic of ours.
    const day = new Date(receipt.startedAtMs).toLocaleDateString("sv-SE", { timeZone: query.timeZone });
    const values = {
      day,
      tenant: receipt.tenantId,
      model: receipt.model,
      key: receipt.keyId,
      region: receipt.region ?? null,
      end: receipt.end,
    };
    const name = JSON.stringify(query.by.map((dimension) => values[dimension]));
    groups.set(name, [...(groups.get(name) ?? []), receipt]);
  }
  const total = (list: readonly Receipt[], value: (receipt: Receipt) => number): number =>
    list.reduce((sum, receipt) => sum + value(receipt), 0);
  return [...groups].map(([name, list]) => {
    const values = JSON.parse(name) as (string | null)[];
    return {
      group: Object.fromEntries(query.by.map((dimension, index) => [dimension, values[index] ?? undefined])),
      sums: {
        requests: list.length,
        refused: list.filter(({ status }) => (status ?? 0) >= 400).length,
        unsettled: list.filter(({ end }) => end === "unsettled").length,
        tokens: Object.fromEntries(counts.map((count) => [count, total(list, ({ usage }) => usage[count] ?? 0)])) as never,
        unknown: Object.fromEntries(
          counts.map((count) => [count, list.filter(({ usage }) => usage[count] === undefined).length]),
        ) as never,
        chargedTokens: total(list, (receipt) => receipt.chargedTokens),
        costMicroUsd: total(list, (receipt) => receipt.costMicroUsd),
      },
    };
  });
}

/** The order of groups says nothing. */
export function sameUsage(actual: readonly UsageRow[], expected: readonly UsageRow[]): void {
  const named = (rows: readonly UsageRow[]): Record<string, unknown> => {
    const pairs = rows.map(
      ({ group, sums }) => [JSON.stringify(usageDimensions.map((dimension) => group[dimension] ?? null)), sums] as const,
    );
    expect(new Set(pairs.map(([name]) => name)).size).toBe(rows.length);
    return Object.fromEntries(pairs);
  };
  expect(named(actual)).toEqual(named(expected));
}
