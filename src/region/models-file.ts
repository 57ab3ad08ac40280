import { z } from "zod";
import { surfaces, type Surface } from "./catalogue.ts";
import { datedPriceEntries, priceEntry, type DatedPriceEntry, type PriceEntry } from "./price-entry.ts";
import { countryList, instant, looseList, loosely, name, natural, positive, text, type Loose } from "./fields.ts";

/** One `[[models]]` of `regions/models.toml`, as written. */
export interface ModelEntry {
  readonly id: string;
  readonly aliases?: readonly string[] | undefined;
  readonly display_name: string;
  readonly maker: string;
  readonly tier: string;
  readonly created_at: Date;
  readonly context_tokens: number;
  readonly max_output_tokens: number;
  readonly surfaces: readonly Surface[];
  readonly weights_not_in: readonly string[];
  /** One of the two: a price that holds until further notice, or several by date. */
  readonly price?: PriceEntry | undefined;
  readonly prices?: readonly DatedPriceEntry[] | undefined;
}

export interface ModelsEntry {
  readonly models: readonly ModelEntry[];
}

const model = {
  id: name.describe("The name that clients write and receipts show."),
  aliases: z.array(name).optional().describe("Other names for it, such as dated ones."),
  display_name: text,
  maker: name.describe("Rules of the policy are made for makers."),
  tier: name.describe("What a tenant must have bought."),
  created_at: instant,
  context_tokens: positive.describe("Prompt and answer together."),
  max_output_tokens: natural.describe("0 where it writes nothing, as an embedding model."),
  surfaces: z.array(z.enum(surfaces)).min(1).describe("What may be called of it."),
  weights_not_in: countryList.describe(
    "Countries and groups in which its weights must never be; [] where there is no such rule.",
  ),
  price: priceEntry
    .optional()
    .describe("The price, where it has no other by date. Micro-USD for a million tokens: 2.50 USD is 2_500_000."),
  prices: datedPriceEntries.optional(),
};

export const modelsFile: z.ZodType<ModelsEntry> = z
  .strictObject({ models: z.array(z.strictObject(model).superRefine(checkPriced)).min(1) })
  .meta({ title: "The models of Strait" });

/** A model without a price would be served for nothing. */
function checkPriced({ price, prices }: Pick<ModelEntry, "price" | "prices">, context: z.RefinementCtx): void {
  if (price !== undefined && prices !== undefined) {
    context.addIssue({ code: "custom", path: ["price"], message: "expected either price or prices, not both" });
  } else if (price === undefined && prices === undefined) {
    context.addIssue({ code: "custom", path: ["price"], message: "expected a price, or several by date in prices" });
  }
}

/** All prices of a model, in order. */
export function pricesOf({ price, prices }: Pick<ModelEntry, "price" | "prices">): readonly DatedPriceEntry[] {
  return prices ?? (price === undefined ? [] : [price]);
}

export const looseModel: z.ZodType<Loose<ModelEntry>> = loosely<ModelEntry>({
  ...model,
  aliases: looseList,
  surfaces: looseList,
  weights_not_in: looseList,
});
