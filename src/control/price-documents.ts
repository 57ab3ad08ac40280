import type { Deployment, Price, Rates, TieredRates } from "../region/catalogue.ts";
import { priceAt } from "../region/price-at.ts";

/** Micro-USD for a million tokens; `null` where the rate is that of what it is part of. */
export interface RatesDocument {
  input: number;
  cachedInput: number;
  cacheWrite: number;
  cacheWriteLong: number | null;
  output: number;
  reasoning: number | null;
  audioInput: number | null;
  audioOutput: number | null;
  imageInput: number | null;
}

export interface TieredRatesDocument extends RatesDocument {
  longContext: (RatesDocument & { aboveInputTokens: number }) | null;
}

export interface PriceDocument extends TieredRatesDocument {
  deployment: string;
  model: string;
  region: string;
  /** RFC 3339; `null` for a deployment's first price. */
  effectiveFrom: string | null;
  /** When the next price begins; `null` where none is known. */
  effectiveTo: string | null;
  serviceTiers: Record<string, TieredRatesDocument>;
}

/** The price of a deployment in force at a moment. */
export function priceDocument(deployment: Deployment, atMs: number): PriceDocument {
  const { price, effectiveFromMs } = priceAt(deployment, atMs);
  const next = deployment.laterPrices?.find((later) => later.effectiveFromMs > atMs);
  return {
    deployment: deployment.id,
    model: deployment.model.id,
    region: deployment.region.id,
    effectiveFrom: rfc3339(effectiveFromMs),
    effectiveTo: rfc3339(next?.effectiveFromMs),
    ...tieredDocument(price),
    serviceTiers: tiersOf(price),
  };
}

function tiersOf({ serviceTiers = {} }: Price): Record<string, TieredRatesDocument> {
  return Object.fromEntries(Object.entries(serviceTiers).map(([tier, rates]) => [tier, tieredDocument(rates)]));
}

function tieredDocument(rates: TieredRates): TieredRatesDocument {
  const { longContext } = rates;
  const long =
    longContext === undefined ? null : { aboveInputTokens: longContext.aboveInputTokens, ...ratesDocument(longContext.rates) };
  return { ...ratesDocument(rates), longContext: long };
}

function ratesDocument(rates: Rates): RatesDocument {
  return {
    input: rates.inputMicroUsdPerMillion,
    cachedInput: rates.cachedInputMicroUsdPerMillion,
    cacheWrite: rates.cacheWriteMicroUsdPerMillion,
    cacheWriteLong: rates.cacheWriteLongMicroUsdPerMillion ?? null,
    output: rates.outputMicroUsdPerMillion,
    reasoning: rates.reasoningMicroUsdPerMillion ?? null,
    audioInput: rates.audioInputMicroUsdPerMillion ?? null,
    audioOutput: rates.audioOutputMicroUsdPerMillion ?? null,
    imageInput: rates.imageInputMicroUsdPerMillion ?? null,
  };
}

function rfc3339(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
