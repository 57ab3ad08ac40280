import type { Receipt } from "../../ledger/receipt.ts";
import { sumsOf, type UsageSums } from "../../ledger/usage-sums.ts";

/** The columns of sums that slices keep, on every store, in the order in which an entry has them. */
export const sumColumns: readonly string[] = [
  "requests",
  "refused",
  "input",
  "cached_input",
  "cache_write",
  "output",
  "reasoning",
  "input_unknown",
  "cached_input_unknown",
  "cache_write_unknown",
  "output_unknown",
  "reasoning_unknown",
  "charged_tokens",
  "cost_micro_usd",
];

/** What a receipt adds to the slices. `region` is empty where none was reached. */
export interface UsageEntry {
  readonly keyId: string;
  readonly model: string;
  readonly region: string;
  readonly end: string;
  /** By `sumColumns`. */
  readonly sums: readonly number[];
}

type Written = readonly [keyId: string, model: string, region: string, end: string, ...sums: number[]];

/**
 * An entry as a receipt's row has it beside the document: whoever sums receipts up need not read a document of thousands of
 * bytes for each. `null` for an unsettled one, of which more is still to be known.
 */
export function writeEntry(receipt: Receipt): string | null {
  if (receipt.end === "unsettled") return null;
  const { keyId, model, region = "", end } = receipt;
  const written: Written = [keyId, model, region, end, ...columnsOf(sumsOf(receipt))];
  return JSON.stringify(written);
}

export function readEntry(text: string): UsageEntry {
  const [keyId, model, region, end, ...sums] = JSON.parse(text) as Written;
  return { keyId, model, region, end, sums };
}

export function addColumns(left: readonly number[], right: readonly number[]): number[] {
  return left.map((value, index) => value + (right[index] ?? 0));
}

function columnsOf({ requests, refused, tokens, unknown, chargedTokens, costMicroUsd }: UsageSums): number[] {
  const five = (counts: UsageSums["tokens"]): number[] => [
    counts.inputTokens,
    counts.cachedInputTokens,
    counts.cacheWriteTokens,
    counts.outputTokens,
    counts.reasoningTokens,
  ];
  return [requests, refused, ...five(tokens), ...five(unknown), chargedTokens, costMicroUsd];
}
