import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costMicroUsd } from "../../src/ledger/price.ts";
import { unknownUsage } from "../../src/upstream/usage.ts";

const price = {
  inputMicroUsdPerMillion: 3_000_000,
  cachedInputMicroUsdPerMillion: 300_000,
  cacheWriteMicroUsdPerMillion: 3_750_000,
  outputMicroUsdPerMillion: 15_000_000,
};

describe("costMicroUsd", () => {
  it("prices cached and written input at their own rates and the rest as plain input, none of it twice", () => {
    const usage = { ...unknownUsage, inputTokens: 1_000, cachedInputTokens: 600, cacheWriteTokens: 300, outputTokens: 200, reasoningTokens: 150 };
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
        const usage = { ...unknownUsage, inputTokens: plain + cached + written, cachedInputTokens: cached, cacheWriteTokens: written, outputTokens: output };
        const cost = costMicroUsd(usage, {
          inputMicroUsdPerMillion: a,
          cachedInputMicroUsdPerMillion: b,
          cacheWriteMicroUsdPerMillion: c,
          outputMicroUsdPerMillion: d,
        });
        const exact = BigInt(plain) * BigInt(a) + BigInt(cached) * BigInt(b) + BigInt(written) * BigInt(c) + BigInt(output) * BigInt(d);
        expect(BigInt(cost)).toBe((exact + 999_999n) / 1_000_000n);
      }),
    );
  });
});
