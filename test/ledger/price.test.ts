import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costMicroUsd, ratesOf } from "../../src/ledger/price.ts";
import type { Price, Rates } from "../../src/region/catalogue.ts";
import { unknownUsage, type MeteredUsage } from "../../src/upstream/usage.ts";

const price = {
  inputMicroUsdPerMillion: 3_000_000,
  cachedInputMicroUsdPerMillion: 300_000,
  cacheWriteMicroUsdPerMillion: 3_750_000,
  outputMicroUsdPerMillion: 15_000_000,
};

describe("costMicroUsd", () => {
  it("prices cached and written input at their own rates and the rest as plain input, none of it twice", () => {
    const usage = {
      ...unknownUsage,
      inputTokens: 1_000,
      cachedInputTokens: 600,
      cacheWriteTokens: 300,
      outputTokens: 200,
      reasoningTokens: 150,
    };
    expect(costMicroUsd(usage, price)).toBe(100 * 3 + 600 * 0.3 + 300 * 3.75 + 200 * 15);
  });

  it("rounds up once, over the whole", () => {
    const usage = { ...unknownUsage, inputTokens: 2, cachedInputTokens: 1, outputTokens: 0 };
    expect(costMicroUsd(usage, price)).toBe(4);
    expect(costMicroUsd({ ...unknownUsage, cachedInputTokens: 1, inputTokens: 1 }, price)).toBe(1);
    expect(costMicroUsd({ ...unknownUsage, inputTokens: 0, outputTokens: 0 }, price)).toBe(0);
  });

  it("charges nothing negative where a report contradicts itself", () => {
    expect(costMicroUsd({ ...unknownUsage, inputTokens: 10, cachedInputTokens: 50 }, price)).toBe(15);
  });

  it("agrees with exact arithmetic at any size", () => {
    const count = fc.nat(2_000_000);
    const rate = fc.nat(600_000_000);
    fc.assert(
      fc.property(count, count, count, count, rate, rate, rate, rate, (plain, cached, written, output, a, b, c, d) => {
        const usage = {
          ...unknownUsage,
          inputTokens: plain + cached + written,
          cachedInputTokens: cached,
          cacheWriteTokens: written,
          outputTokens: output,
        };
        const cost = costMicroUsd(usage, {
          inputMicroUsdPerMillion: a,
          cachedInputMicroUsdPerMillion: b,
          cacheWriteMicroUsdPerMillion: c,
          outputMicroUsdPerMillion: d,
        });
        const exact =
          BigInt(plain) * BigInt(a) + BigInt(cached) * BigInt(b) + BigInt(written) * BigInt(c) + BigInt(output) * BigInt(d);
        expect(BigInt(cost)).toBe((exact + 999_999n) / 1_000_000n);
      }),
    );
  });
});

describe("what parts of a usage have rates of their own", () => {
  const rich: Price = {
    ...price,
    cacheWriteLongMicroUsdPerMillion: 6_000_000,
    reasoningMicroUsdPerMillion: 20_000_000,
    audioInputMicroUsdPerMillion: 40_000_000,
    audioOutputMicroUsdPerMillion: 80_000_000,
    imageInputMicroUsdPerMillion: 5_000_000,
  };
  const usage: MeteredUsage = {
    inputTokens: 1_000,
    cachedInputTokens: 100,
    cacheWriteTokens: 200,
    cacheWriteLongTokens: 150,
    audioInputTokens: 300,
    imageInputTokens: 50,
    outputTokens: 400,
    reasoningTokens: 70,
    audioOutputTokens: 30,
  };

  it("are each taken out of what they are part of, and paid once", () => {
    const input = 350 * 3 + 100 * 0.3 + 50 * 3.75 + 150 * 6 + 300 * 40 + 50 * 5;
    expect(costMicroUsd(usage, rich)).toBe(Math.ceil(input + 300 * 15 + 70 * 20 + 30 * 80));
  });

  it("cost as what they are part of where the price does not tell them apart", () => {
    const input = 700 * 3 + 100 * 0.3 + 200 * 3.75;
    expect(costMicroUsd(usage, price)).toBe(Math.ceil(input + 400 * 15));
  });

  it("are never paid twice where a report's parts overlap or are more than the whole", () => {
    // Speech that was read from the cache is in both counts.
    expect(costMicroUsd({ ...unknownUsage, inputTokens: 100, cachedInputTokens: 100, audioInputTokens: 100 }, rich)).toBe(30);
    expect(costMicroUsd({ ...unknownUsage, outputTokens: 10, reasoningTokens: 50, audioOutputTokens: 50 }, rich)).toBe(10 * 80);
    const count = fc.option(fc.nat(10_000), { nil: undefined });
    fc.assert(
      fc.property(fc.record(Object.fromEntries(Object.keys(usage).map((name) => [name, count]))), (counts) => {
        const of = counts as unknown as MeteredUsage;
        const flat = Object.fromEntries(Object.keys(rich).map((name) => [name, 1_000_000])) as unknown as Price;
        const most =
          Math.max(of.inputTokens ?? 0, (of.cachedInputTokens ?? 0) + (of.cacheWriteTokens ?? 0)) + (of.outputTokens ?? 0);
        expect(costMicroUsd(of, flat)).toBe(most);
      }),
    );
  });
});

describe("the rates that an answer calls for", () => {
  const long = (input: number): Rates => ({ ...price, inputMicroUsdPerMillion: input });
  const tiered: Price = {
    ...price,
    longContext: { aboveInputTokens: 200_000, rates: long(6_000_000) },
    serviceTiers: {
      priority: { ...long(7_000_000), longContext: { aboveInputTokens: 100_000, rates: long(8_000_000) } },
      flex: long(1_000_000),
    },
  };
  const of = (inputTokens: number | undefined, serviceTier?: string): [number, string | undefined] => {
    const { rates, tier } = ratesOf(tiered, { ...unknownUsage, inputTokens, serviceTier });
    return [rates.inputMicroUsdPerMillion / 1_000_000, tier];
  };

  it.each([
    ["no tier and a short prompt", 200_000, undefined, [3, undefined]],
    ["a prompt above the threshold, cached or not", 200_001, undefined, [6, "long_context"]],
    ["the provider's own name for no tier", 10, "default", [3, undefined]],
    ["a tier that has no rates", 10, "scale", [3, undefined]],
    ["a tier by a name that every object has", 10, "constructor", [3, undefined]],
    ["a tier", 10, "flex", [1, "flex"]],
    ["a tier without rates for long prompts", 300_000, "flex", [1, "flex"]],
    ["a tier's own threshold", 100_001, "priority", [8, "priority/long_context"]],
    ["a prompt of unknown length", undefined, "priority", [7, "priority"]],
  ] as const)("are, with %s, one set for all of it", (_, input, tier, expected) => {
    expect(of(input, tier)).toEqual(expected);
  });
});
