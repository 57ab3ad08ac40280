import { tokenCostMicroUsd } from "../quota/token-cost.ts";
import type { Price } from "../region/catalogue.ts";
import type { Usage } from "../upstream/usage.ts";

/**
 * What this usage costs, in micro-USD, rounded up once. Input read from the cache and input written to it are part of
 * `inputTokens` and are taken out of it before the rest is priced, so nothing is paid twice; reasoning is part of the
 * output. A count that is `undefined` adds nothing here: what an unknown costs is decided in `settlement.ts`.
 */
export function costMicroUsd(usage: Usage, price: Price): number {
  const cachedInput = usage.cachedInputTokens ?? 0;
  const cacheWrite = usage.cacheWriteTokens ?? 0;
  const plainInput = Math.max(0, (usage.inputTokens ?? 0) - cachedInput - cacheWrite);
  return tokenCostMicroUsd({ plainInput, cachedInput, cacheWrite, output: usage.outputTokens ?? 0 }, price);
}
