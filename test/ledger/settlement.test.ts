import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { settle, type SettlementFacts } from "../../src/ledger/settlement.ts";
import { amountsOf } from "../../src/quota/limit.ts";
import { unknownUsage } from "../../src/upstream/usage.ts";

const price = {
  inputMicroUsdPerMillion: 1_000_000,
  cachedInputMicroUsdPerMillion: 100_000,
  cacheWriteMicroUsdPerMillion: 1_250_000,
  outputMicroUsdPerMillion: 4_000_000,
};

function facts(more: Partial<SettlementFacts> = {}): SettlementFacts {
  return {
    hold: { amounts: amountsOf(1, 200, 800, 3_400), promptTokens: 200, worstCase: amountsOf(1, 200, 800, 3_400) },
    reached: true,
    failedUpstream: false,
    status: 200,
    usage: unknownUsage,
    usageComplete: false,
    outputEventsSeen: 0,
    price,
    ...more,
  };
}

function charge(more: Partial<SettlementFacts>): [tokens: number, microUsd: number, source: string] {
  const settled = settle(facts(more));
  return [settled.charge.tokens, settled.charge.microUsd, settled.usageSource];
}

describe("settle", () => {
  it("charges nothing where no upstream was reached", () => {
    expect(charge({ reached: false, status: undefined, price: undefined })).toEqual([0, 0, "none"]);
  });

  it("charges nothing for an upstream's error without usage", () => {
    for (const status of [302, 400, 429, 500, 503]) expect(charge({ status })).toEqual([0, 0, "none"]);
  });

  it("charges nothing where every attempt failed on the upstream's side", () => {
    expect(charge({ failedUpstream: true, status: undefined })).toEqual([0, 0, "none"]);
    expect(charge({ failedUpstream: true, outputEventsSeen: 3 })).toEqual([0, 0, "none"]);
  });

  it("charges what the upstream reported, even above the hold", () => {
    const usage = { ...unknownUsage, inputTokens: 150, outputTokens: 50 };
    expect(charge({ usage, usageComplete: true })).toEqual([200, 350, "reported"]);
    expect(charge({ usage: { ...usage, outputTokens: 5_000 }, usageComplete: true })).toEqual([5_150, 20_150, "reported"]);
  });

  it("charges the input as it was held where a whole report leaves it out, and reports it unknown", () => {
    const settled = settle(facts({ usage: { ...unknownUsage, outputTokens: 50 }, usageComplete: true }));
    expect(settled.charge).toEqual(amountsOf(0, 200, 50, 400));
    expect([settled.usageSource, settled.usage.inputTokens]).toEqual(["estimated", undefined]);
    expect(settle(facts({ usage: { ...unknownUsage, inputTokens: 150 }, usageComplete: true })).charge).toEqual(
      amountsOf(0, 150, 800, 3_350),
    );
  });

  it("takes a report without output as whole where none was to come, as of embeddings", () => {
    const hold = { amounts: amountsOf(1, 200, 0, 200), promptTokens: 200, worstCase: amountsOf(1, 200, 0, 200) };
    const settled = settle(facts({ hold, usage: { ...unknownUsage, inputTokens: 150 }, usageComplete: true }));
    expect([settled.charge, settled.usageSource]).toEqual([amountsOf(0, 150, 0, 150), "reported"]);
  });

  it("takes a report that counts nothing for none", () => {
    expect(charge({ usageComplete: true })).toEqual([1_000, 3_400, "held"]);
    expect(charge({ usageComplete: true, status: 500 })).toEqual([0, 0, "none"]);
  });

  it("tells input and output apart in what it charges", () => {
    const usage = { ...unknownUsage, inputTokens: 150, outputTokens: 50 };
    expect(settle(facts({ usage, usageComplete: true })).charge).toMatchObject({
      inputTokens: 150,
      outputTokens: 50,
      tokens: 200,
    });
    expect(settle(facts({ outputEventsSeen: 30 })).charge).toMatchObject({ inputTokens: 200, outputTokens: 30, tokens: 230 });
  });

  it("charges a cut answer for what was seen of it, above what was held for it where the worst case allows", () => {
    const worstCase = amountsOf(1, 200, 16_000, 100_000);
    const hold = { amounts: amountsOf(1, 200, 10, 240), promptTokens: 200, worstCase };
    expect(settle(facts({ hold, outputEventsSeen: 300 })).charge).toEqual(amountsOf(0, 200, 300, 1_400));
  });

  it("says which of the price's rates it charged", () => {
    const tiered = { ...price, serviceTiers: { priority: { ...price, outputMicroUsdPerMillion: 8_000_000 } } };
    const usage = { ...unknownUsage, inputTokens: 150, outputTokens: 50, serviceTier: "priority" };
    const settled = settle(facts({ usage, usageComplete: true, price: tiered }));
    expect([settled.charge.microUsd, settled.priceTier]).toEqual([550, "priority"]);
  });

  it("charges a reported zero as zero", () => {
    expect(charge({ usage: { ...unknownUsage, inputTokens: 0, outputTokens: 0 }, usageComplete: true })).toEqual([
      0,
      0,
      "reported",
    ]);
  });

  it("charges a report that comes with an error's status", () => {
    const usage = { ...unknownUsage, inputTokens: 150, outputTokens: 0 };
    expect(charge({ status: 500, usage, usageComplete: true })).toEqual([150, 150, "reported"]);
  });

  it("estimates a stream that was cut before its usage from the held prompt and the events seen", () => {
    expect(charge({ outputEventsSeen: 30 })).toEqual([230, 320, "estimated"]);
  });

  it("takes the input that a cut stream reported at its start, and the larger of the output reported and seen", () => {
    const usage = { ...unknownUsage, inputTokens: 90, outputTokens: 1 };
    expect(charge({ usage, outputEventsSeen: 30 })).toEqual([120, 210, "estimated"]);
    expect(charge({ usage: { ...usage, outputTokens: 40 }, outputEventsSeen: 30 })).toEqual([130, 250, "estimated"]);
  });

  it("lets the whole hold stand where nothing is known", () => {
    expect(charge({})).toEqual([1_000, 3_400, "held"]);
    expect(charge({ status: undefined })).toEqual([1_000, 3_400, "held"]);
    expect(charge({ status: undefined, price: undefined, outputEventsSeen: 5 })).toEqual([1_000, 3_400, "held"]);
  });

  it("leaves unknown what the upstream did not report, whatever was charged", () => {
    expect(settle(facts({ outputEventsSeen: 30 })).usage).toEqual(unknownUsage);
  });

  it("never charges an estimate above the worst case, nor anything but integers", () => {
    const count = fc.option(fc.nat(10_000), { nil: undefined });
    fc.assert(
      fc.property(
        fc.nat(1_000),
        fc.nat(10_000),
        fc.nat(10_000),
        count,
        count,
        count,
        (promptTokens, tokens, microUsd, inputTokens, outputTokens, cached) => {
          const settled = settle(
            facts({
              hold: { amounts: amountsOf(1, 0, 0, 0), promptTokens, worstCase: amountsOf(1, tokens, 0, microUsd) },
              usage: { ...unknownUsage, inputTokens, outputTokens, cachedInputTokens: cached },
              outputEventsSeen: tokens % 50,
            }),
          );
          expect(settled.charge.tokens).toBeLessThanOrEqual(tokens);
          expect(settled.charge.microUsd).toBeLessThanOrEqual(microUsd);
          for (const amount of Object.values(settled.charge)) expect(Number.isSafeInteger(amount) && amount >= 0).toBe(true);
        },
      ),
    );
  });
});
