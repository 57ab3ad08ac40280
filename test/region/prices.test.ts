import { describe, expect, it } from "vitest";
import type { Deployment } from "../../src/region/catalogue.ts";
import { priceAt } from "../../src/region/price-at.ts";
import { catalogueOf, deploymentText, files, modelsText, policyText, problemsOf, regionText } from "./regions-fixture.ts";

const plain = "[models.price]\ninput_micro_usd_per_million = 1_000_001\noutput_micro_usd_per_million = 3\n";
const standard = ['model = "gpt-a"', 'sku = "Standard"', 'countries = ["JP"]'] as const;

/** The catalogue with the first model's price written otherwise, and a deployment with more lines. */
function withPrice(text: string, ...lines: readonly string[]): Parameters<typeof catalogueOf>[0] {
  return files(
    { tokyo: regionText("tokyo", [], deploymentText(...standard, ...lines)) },
    policyText,
    modelsText.replace(plain, text),
  );
}

function deployed(text: string, ...lines: readonly string[]): Deployment {
  const found = catalogueOf(withPrice(text, ...lines)).catalogue.deployments.get("tokyo/gpt-a");
  if (found === undefined) throw new Error("no deployment");
  return found;
}

const rates = (input: number): string => `input_micro_usd_per_million = ${input}\noutput_micro_usd_per_million = ${2 * input}\n`;
const dated = (input: number, from?: string): string =>
  `[[models.prices]]\n${from === undefined ? "" : `effective_from = ${from}\n`}${rates(input)}`;
const threePrices = dated(100) + dated(80, "2026-03-01T00:00:00Z") + dated(90, "2026-06-01T00:00:00+08:00");

describe("a price by date", () => {
  it("holds from its instant on, and the first before all", () => {
    const deployment = deployed(threePrices);
    const at = (time: string): number => priceAt(deployment, Date.parse(time)).price.inputMicroUsdPerMillion;
    expect(
      ["1970-01-01Z", "2026-02-28T23:59:59.999Z", "2026-03-01T00:00:00Z", "2026-05-31T15:59:59.999Z", "2026-05-31T16:00:00Z"].map(
        at,
      ),
    ).toEqual([100, 100, 80, 80, 90]);
    expect(priceAt(deployment, 0).effectiveFromMs).toBeUndefined();
    expect(priceAt(deployment, Date.parse("2030-01-01Z")).effectiveFromMs).toBe(Date.parse("2026-05-31T16:00:00Z"));
  });

  it("has the deployment's premium on every rate of it, and is the deployment's own where it has one", () => {
    const raised = deployed(threePrices, "price_premium_percent = 10");
    expect([0, Date.parse("2026-03-02Z")].map((ms) => priceAt(raised, ms).price.outputMicroUsdPerMillion)).toEqual([220, 176]);
    const own = deployed(
      threePrices,
      "price_premium_percent = 10",
      "prices = [{ input_micro_usd_per_million = 7, output_micro_usd_per_million = 7 }]",
    );
    expect(priceAt(own, Date.parse("2030-01-01Z")).price.inputMicroUsdPerMillion).toBe(8);
  });

  it.each([
    ["a first price with a date", dated(1, "2026-03-01T00:00:00Z"), "prices[1].effective_from: the first price holds until"],
    ["a later one without", dated(1) + dated(2), 'Missing key "effective_from" in models[1].prices[2]'],
    [
      "dates that go back",
      dated(1) + dated(2, "2026-03-01T00:00:00Z") + dated(3, "2026-02-01T00:00:00Z"),
      "prices[3].effective_from: expected a later date",
    ],
    [
      "one date twice",
      dated(1) + dated(2, "2026-03-01T00:00:00Z") + dated(3, "2026-03-01T00:00:00Z"),
      "prices[3].effective_from: expected a later date",
    ],
    ["a date of no time zone", dated(1) + dated(2, "2026-03-01"), "offset"],
    ["no price at all", "", 'Missing key "price" in models[1]'],
    ["both forms at once", `${plain}${dated(1)}`, "either price or prices"],
    ["a rate that is no integer", plain.replace("= 3", "= 3.5"), "output_micro_usd_per_million"],
    ["a negative rate", plain.replace("= 3", "= -3"), "output_micro_usd_per_million"],
    ["a service tier that is not known", `${plain}[models.price.service_tiers.fast]\n${rates(1)}`, "fast"],
  ])("is not taken with %s", (_, text, part) => {
    const problems = problemsOf(withPrice(text));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(part);
  });
});

describe("a price's tiers", () => {
  const tiers =
    `${plain}reasoning_micro_usd_per_million = 5\naudio_input_micro_usd_per_million = 40\n` +
    `[models.price.long_context]\nabove_input_tokens = 200_000\n${rates(20)}` +
    `[models.price.service_tiers.priority]\n${rates(30)}` +
    `[models.price.service_tiers.priority.long_context]\nabove_input_tokens = 100_000\n${rates(60)}`;

  it("are read whole, frozen, and raised by a premium like the rest", () => {
    const { price } = deployed(tiers, "price_premium_percent = 10");
    expect(price).toMatchObject({
      reasoningMicroUsdPerMillion: 6,
      audioInputMicroUsdPerMillion: 44,
      longContext: {
        aboveInputTokens: 200_000,
        rates: { inputMicroUsdPerMillion: 22, cachedInputMicroUsdPerMillion: 22, outputMicroUsdPerMillion: 44 },
      },
      serviceTiers: {
        priority: {
          outputMicroUsdPerMillion: 66,
          longContext: { aboveInputTokens: 100_000, rates: { inputMicroUsdPerMillion: 66 } },
        },
      },
    });
    for (const part of [price, price.longContext, price.longContext?.rates, price.serviceTiers, price.serviceTiers?.priority])
      expect(Object.isFrozen(part)).toBe(true);
  });

  it("that are not written are not there", () => {
    expect(Object.keys(deployed(plain).price)).toEqual([
      "inputMicroUsdPerMillion",
      "cachedInputMicroUsdPerMillion",
      "cacheWriteMicroUsdPerMillion",
      "outputMicroUsdPerMillion",
    ]);
  });
});
