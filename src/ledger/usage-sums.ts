import type { Usage } from "../upstream/usage.ts";
import type { UsageDimension } from "./journal-reader.ts";
import type { Receipt } from "./receipt.ts";

/** Sums over receipts; integers all. */
export interface UsageSums {
  readonly requests: number;
  /** Of them, those that the client was told no: a status of 400 or above. What was refused before it was admitted is not in here. */
  readonly refused: number;
  /** Of them, those whose gateway died before it could tell: charged as held, until somebody knows more. */
  readonly unsettled: number;
  /** What upstreams reported. A count that is unknown adds nothing here; it is counted in `unknown`. */
  readonly tokens: Readonly<Record<keyof Usage, number>>;
  /** For each count, the receipts that do not know it. */
  readonly unknown: Readonly<Record<keyof Usage, number>>;
  readonly chargedTokens: number;
  readonly costMicroUsd: number;
}

/** The value of each dimension that was asked for; `undefined` for the region of an exchange that reached none. */
export type UsageGroup = { readonly [Dimension in UsageDimension]?: string | undefined };

export interface UsageRow {
  readonly group: UsageGroup;
  readonly sums: UsageSums;
}

const noTokens: UsageSums["tokens"] = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};

export const noUsage: UsageSums = {
  requests: 0,
  refused: 0,
  unsettled: 0,
  tokens: noTokens,
  unknown: noTokens,
  chargedTokens: 0,
  costMicroUsd: 0,
};

/** One receipt as sums. This is the one place that says what counts as refused, and as unknown. */
export function sumsOf(receipt: Receipt): UsageSums {
  const { usage } = receipt;
  return {
    requests: 1,
    refused: receipt.status !== undefined && receipt.status >= 400 ? 1 : 0,
    unsettled: receipt.end === "unsettled" ? 1 : 0,
    tokens: eachCount((count) => usage[count] ?? 0),
    unknown: eachCount((count) => (usage[count] === undefined ? 1 : 0)),
    chargedTokens: receipt.chargedTokens,
    costMicroUsd: receipt.costMicroUsd,
  };
}

export function addSums(left: UsageSums, right: UsageSums): UsageSums {
  return {
    requests: left.requests + right.requests,
    refused: left.refused + right.refused,
    unsettled: left.unsettled + right.unsettled,
    tokens: eachCount((count) => left.tokens[count] + right.tokens[count]),
    unknown: eachCount((count) => left.unknown[count] + right.unknown[count]),
    chargedTokens: left.chargedTokens + right.chargedTokens,
    costMicroUsd: left.costMicroUsd + right.costMicroUsd,
  };
}

function eachCount(value: (count: keyof Usage) => number): Record<keyof Usage, number> {
  return {
    inputTokens: value("inputTokens"),
    cachedInputTokens: value("cachedInputTokens"),
    cacheWriteTokens: value("cacheWriteTokens"),
    outputTokens: value("outputTokens"),
    reasoningTokens: value("reasoningTokens"),
  };
}
