import type { ModelRequest } from "../dialect/model-request.ts";
import type { Price, Rates, ServiceTier, TieredRates } from "../region/catalogue.ts";
import { noTokens, tokenCostMicroUsd } from "./token-cost.ts";

/** The most that so many tokens can cost at this price, whichever of its rates the answer turns out to call for. */
export function dearestMicroUsd(inputTokens: number, outputTokens: number, request: ModelRequest, price: Price): number {
  let microUsd = 0;
  for (const rates of ratesInReach(inputTokens, request, price)) {
    const dearest: Rates = {
      ...rates,
      inputMicroUsdPerMillion: dearestInput(rates, request),
      outputMicroUsdPerMillion: dearestOutput(rates),
    };
    microUsd = Math.max(microUsd, tokenCostMicroUsd({ ...noTokens, plainInput: inputTokens, output: outputTokens }, dearest));
  }
  return microUsd;
}

/** A tier of service is had only by asking for it, and a provider that has none left serves at the plain price. */
function ratesInReach(inputTokens: number, { serviceTier }: ModelRequest, price: Price): Rates[] {
  const asked: TieredRates | undefined = serviceTier === undefined ? undefined : price.serviceTiers?.[serviceTier as ServiceTier];
  return [price, ...(asked === undefined ? [] : [asked])].flatMap((tiered) => {
    const { longContext } = tiered;
    return longContext !== undefined && inputTokens > longContext.aboveInputTokens ? [tiered, longContext.rates] : [tiered];
  });
}

/** Any part of a prompt may be read from the provider's cache or written to it, and a write can cost more than plain input. */
function dearestInput(rates: Rates, { prompt }: ModelRequest): number {
  return Math.max(
    rates.inputMicroUsdPerMillion,
    rates.cachedInputMicroUsdPerMillion,
    rates.cacheWriteMicroUsdPerMillion,
    rates.cacheWriteLongMicroUsdPerMillion ?? 0,
    (prompt.audioBytes ?? 0) > 0 ? (rates.audioInputMicroUsdPerMillion ?? 0) : 0,
    prompt.images > 0 ? (rates.imageInputMicroUsdPerMillion ?? 0) : 0,
  );
}

/** Whether an answer is spoken or thought over is the model's to say, where it has a rate for it at all. */
function dearestOutput(rates: Rates): number {
  return Math.max(
    rates.outputMicroUsdPerMillion,
    rates.reasoningMicroUsdPerMillion ?? 0,
    rates.audioOutputMicroUsdPerMillion ?? 0,
  );
}
