import { tokenCostMicroUsd, type PricedTokens } from "../quota/token-cost.ts";
import type { Price, Rates, ServiceTier, TieredRates } from "../region/catalogue.ts";
import type { MeteredUsage } from "../upstream/usage.ts";

/** Which of a price's rates a request was charged at: `priority`, `long_context`, `priority/long_context`; `undefined` for the plain ones. */
export type PriceTier = string | undefined;

/**
 * What this usage costs, in micro-USD, rounded up once. A count that is `undefined` adds nothing here: what an unknown
 * costs is decided in `settlement.ts`.
 */
export function costMicroUsd(usage: MeteredUsage, price: Price): number {
  return tokenCostMicroUsd(apart(usage), ratesOf(price, usage).rates);
}

/** The rates that the answer's service tier and its input's length call for. */
export function ratesOf(price: Price, usage: MeteredUsage): { readonly rates: Rates; readonly tier: PriceTier } {
  const service = isPriced(price, usage.serviceTier) ? usage.serviceTier : undefined;
  const tiered: TieredRates = service === undefined ? price : (price.serviceTiers?.[service] ?? price);
  const { longContext } = tiered;
  const isLong = longContext !== undefined && (usage.inputTokens ?? 0) > longContext.aboveInputTokens;
  const tier = [...(service === undefined ? [] : [service]), ...(isLong ? ["long_context"] : [])].join("/");
  return { rates: isLong ? longContext.rates : tiered, tier: tier === "" ? undefined : tier };
}

function isPriced(price: Price, name: string | undefined): name is ServiceTier {
  return name !== undefined && price.serviceTiers !== undefined && Object.hasOwn(price.serviceTiers, name);
}

/**
 * Takes the parts out of their wholes, so that nothing is paid twice: reports count what was cached, spoken or seen as part
 * of all input, and reasoning and speech as part of all output. A report whose parts are more than the whole is taken at
 * the parts that were cached, for those were counted by another hand.
 */
function apart(usage: MeteredUsage): PricedTokens {
  const cachedInput = usage.cachedInputTokens ?? 0;
  const written = usage.cacheWriteTokens ?? 0;
  const cacheWriteLong = Math.min(usage.cacheWriteLongTokens ?? 0, written);
  const fresh = Math.max(0, (usage.inputTokens ?? 0) - cachedInput - written);
  const audioInput = Math.min(usage.audioInputTokens ?? 0, fresh);
  const imageInput = Math.min(usage.imageInputTokens ?? 0, fresh - audioInput);
  const allOutput = usage.outputTokens ?? 0;
  const audioOutput = Math.min(usage.audioOutputTokens ?? 0, allOutput);
  const reasoning = Math.min(usage.reasoningTokens ?? 0, allOutput - audioOutput);
  return {
    plainInput: fresh - audioInput - imageInput,
    cachedInput,
    cacheWrite: written - cacheWriteLong,
    cacheWriteLong,
    audioInput,
    imageInput,
    output: allOutput - audioOutput - reasoning,
    reasoning,
    audioOutput,
  };
}
