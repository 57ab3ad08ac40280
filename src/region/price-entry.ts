import { z } from "zod";
import type { DatedPrice, Price, Rates, ServiceTier, TieredRates } from "./catalogue.ts";
import { instant, natural, positive } from "./fields.ts";

export interface RatesEntry {
  readonly input_micro_usd_per_million: number;
  readonly cached_input_micro_usd_per_million?: number | undefined;
  readonly cache_write_micro_usd_per_million?: number | undefined;
  readonly cache_write_long_micro_usd_per_million?: number | undefined;
  readonly output_micro_usd_per_million: number;
  readonly reasoning_micro_usd_per_million?: number | undefined;
  readonly audio_input_micro_usd_per_million?: number | undefined;
  readonly audio_output_micro_usd_per_million?: number | undefined;
  readonly image_input_micro_usd_per_million?: number | undefined;
}

export interface TieredRatesEntry extends RatesEntry {
  readonly long_context?: ({ readonly above_input_tokens: number } & RatesEntry) | undefined;
}

export interface PriceEntry extends TieredRatesEntry {
  readonly service_tiers?: { readonly [Tier in ServiceTier]?: TieredRatesEntry | undefined } | undefined;
}

export interface DatedPriceEntry extends PriceEntry {
  readonly effective_from?: Date | undefined;
}

const rates = {
  input_micro_usd_per_million: natural,
  cached_input_micro_usd_per_million: natural.optional().describe("Read from the provider's cache; by default as input."),
  cache_write_micro_usd_per_million: natural.optional().describe("Written to the provider's cache; by default as input."),
  cache_write_long_micro_usd_per_million: natural.optional().describe("Written to it for an hour; by default as cache_write."),
  output_micro_usd_per_million: natural,
  reasoning_micro_usd_per_million: natural.optional().describe("By default as output."),
  audio_input_micro_usd_per_million: natural.optional().describe("By default as input."),
  audio_output_micro_usd_per_million: natural.optional().describe("By default as output."),
  image_input_micro_usd_per_million: natural.optional().describe("By default as input."),
};

const tiered = {
  ...rates,
  long_context: z
    .strictObject({ above_input_tokens: positive, ...rates })
    .optional()
    .describe("The rates of the whole request where its input is longer than this."),
};

const price = {
  ...tiered,
  service_tiers: z
    .strictObject({
      batch: z.strictObject(tiered).optional(),
      flex: z.strictObject(tiered).optional(),
      priority: z.strictObject(tiered).optional(),
    })
    .optional()
    .describe("The rates where the answer names this service tier; the plain ones where it names another or none."),
};

export const priceEntry: z.ZodType<PriceEntry> = z
  .strictObject(price)
  .describe("Micro-USD for a million tokens: 2.50 USD is 2_500_000.");

export const datedPriceEntries: z.ZodType<DatedPriceEntry[]> = z
  .array(
    z.strictObject({
      effective_from: instant.optional().describe("The first price has none: it holds until the second begins."),
      ...price,
    }),
  )
  .min(1)
  .superRefine((list, context) => {
    list.forEach((entry, index) => {
      const before = list[index - 1]?.effective_from;
      const wrong = datesProblem(entry.effective_from, index, before);
      if (wrong !== undefined) context.addIssue({ code: "custom", path: [index, "effective_from"], message: wrong });
    });
  })
  .describe("Prices in order of their dates. A request has the price of its admission; a change touches none that was settled.");

function datesProblem(from: Date | undefined, index: number, before: Date | undefined): string | undefined {
  if (index === 0) return from === undefined ? undefined : "the first price holds until the second begins: leave its date out";
  if (from === undefined) return "expected the date from which it holds, such as 2026-09-01T00:00:00Z";
  return before !== undefined && from <= before ? "expected a later date than that of the price before" : undefined;
}

export interface BuiltPrices {
  readonly price: Price;
  readonly laterPrices: readonly DatedPrice[];
}

/** Prices as the catalogue keeps them, the premium of a region added to every rate. */
export function buildPrices(entries: readonly DatedPriceEntry[], premiumPercent: number): BuiltPrices {
  const [first, ...later] = entries;
  if (first === undefined) throw new Error("there is no price");
  const laterPrices = later.map((entry) =>
    Object.freeze({ effectiveFromMs: entry.effective_from?.getTime() ?? 0, price: buildPrice(entry, premiumPercent) }),
  );
  return { price: buildPrice(first, premiumPercent), laterPrices: Object.freeze(laterPrices) };
}

function buildPrice(entry: PriceEntry, premiumPercent: number): Price {
  const { service_tiers: tiers } = entry;
  if (tiers === undefined) return buildTiered(entry, premiumPercent);
  const built = Object.entries(tiers).flatMap(([tier, of]) =>
    of === undefined ? [] : [[tier, buildTiered(of, premiumPercent)] as const],
  );
  return Object.freeze({ ...buildTiered(entry, premiumPercent), serviceTiers: Object.freeze(Object.fromEntries(built)) });
}

function buildTiered(entry: TieredRatesEntry, premiumPercent: number): TieredRates {
  const { long_context: long } = entry;
  const plain = buildRates(entry, premiumPercent);
  if (long === undefined) return plain;
  return Object.freeze({
    ...plain,
    longContext: Object.freeze({ aboveInputTokens: long.above_input_tokens, rates: buildRates(long, premiumPercent) }),
  });
}

/** With the premium rounded up: a fraction of a micro-USD must not go missing from a hold. */
function buildRates(entry: RatesEntry, premiumPercent: number): Rates {
  const raise = (microUsd: number): number => Math.ceil((microUsd * (100 + premiumPercent)) / 100);
  const input = entry.input_micro_usd_per_million;
  const optional = {
    cacheWriteLongMicroUsdPerMillion: entry.cache_write_long_micro_usd_per_million,
    reasoningMicroUsdPerMillion: entry.reasoning_micro_usd_per_million,
    audioInputMicroUsdPerMillion: entry.audio_input_micro_usd_per_million,
    audioOutputMicroUsdPerMillion: entry.audio_output_micro_usd_per_million,
    imageInputMicroUsdPerMillion: entry.image_input_micro_usd_per_million,
  };
  const set = Object.entries(optional).flatMap(([name, rate]) => (rate === undefined ? [] : [[name, raise(rate)] as const]));
  return Object.freeze({
    inputMicroUsdPerMillion: raise(input),
    cachedInputMicroUsdPerMillion: raise(entry.cached_input_micro_usd_per_million ?? input),
    cacheWriteMicroUsdPerMillion: raise(entry.cache_write_micro_usd_per_million ?? input),
    outputMicroUsdPerMillion: raise(entry.output_micro_usd_per_million),
    ...Object.fromEntries(set),
  });
}
