import { describe, expect, it } from "vitest";
import type { ModelRequest, PromptMeasure } from "../../src/dialect/model-request.ts";
import type { Permit } from "../../src/policy/permit.ts";
import { estimate, type Hold, type Learned } from "../../src/quota/estimate.ts";
import { Learning } from "../../src/quota/learning.ts";
import { unknownUsage } from "../../src/upstream/usage.ts";
import { amountsOf } from "../../src/quota/limit.ts";
import type { DatedPrice, Deployment, Model, Price } from "../../src/region/catalogue.ts";

const nowMs = Date.parse("2026-11-23T12:00:00Z");

const price: Price = {
  inputMicroUsdPerMillion: 2_000_000,
  cachedInputMicroUsdPerMillion: 500_000,
  cacheWriteMicroUsdPerMillion: 2_500_000,
  outputMicroUsdPerMillion: 10_000_000,
};

function permit(prices: readonly Price[] = [price]): Permit {
  const model = { id: "model-a", contextTokens: 10_000, maxOutputTokens: 1_000 } as Model;
  const deployments = prices.map((of) => ({ model, price: of }) as Deployment);
  const granted = { model, deployments, refused: [], cutOff: [], rules: [], degradations: [] };
  const versions = { policyVersion: "1", policyDigest: "p", catalogueDigest: "d" };
  return { ...granted, tenantId: "acme", inputs: {} as Permit["inputs"], ...versions };
}

function request(more: Partial<ModelRequest> = {}, prompt: Partial<PromptMeasure> = {}): ModelRequest {
  return {
    surface: "chat.completions",
    model: "model-a",
    stream: false,
    includeUsage: false,
    maxOutputTokens: 100,
    choices: 1,
    previousResponseId: undefined,
    endUser: undefined,
    prompt: { asciiBytes: 0, otherBytes: 0, images: 0, ...prompt },
    extractsWeights: false,
    logProbabilities: false,
    hostedTools: [],
    bodyFor: () => new Uint8Array(),
    release: () => undefined,
    ...more,
  };
}

const tokens = (of: ModelRequest): number => estimate(of, permit(), nowMs).amounts.tokens;

describe("estimate", () => {
  it("holds one token for two bytes of ASCII, one for each other byte, and a fixed many for an image", () => {
    const empty = tokens(request({}, { asciiBytes: 1 }));
    expect(tokens(request({}, { asciiBytes: 2_001 })) - empty).toBe(1_000);
    expect(tokens(request({}, { asciiBytes: 1, otherBytes: 300 })) - empty).toBe(300);
    expect(tokens(request({}, { asciiBytes: 1, images: 1 })) - empty).toBe(5_000);
  });

  it("holds all the output that the client may ask for, for every choice, and never beyond the model's own ceiling", () => {
    expect(tokens(request({ maxOutputTokens: 100, choices: 3 }))).toBe(300);
    expect(tokens(request({ maxOutputTokens: undefined, choices: 2 }))).toBe(2_000);
    expect(tokens(request({ maxOutputTokens: 10 ** 15 }))).toBe(1_000);
  });

  it("never holds more prompt than the model's context, except where every text has a context of its own", () => {
    const long = { asciiBytes: 100_000 };
    expect(estimate(request({}, long), permit(), nowMs).promptTokens).toBe(10_000);
    expect(estimate(request({ surface: "completions", choices: 3 }, long), permit(), nowMs).promptTokens).toBe(30_000);
    expect(estimate(request({ surface: "embeddings" }, long), permit(), nowMs).promptTokens).toBeGreaterThan(50_000);
  });

  it("holds the whole context where the body does not bound the prompt: nobody here knows its length", () => {
    expect(estimate(request({}, { asciiBytes: 10, unbounded: true }), permit(), nowMs).promptTokens).toBe(10_000);
    expect(estimate(request({ previousResponseId: "resp_1" }, { asciiBytes: 10 }), permit(), nowMs).promptTokens).toBe(10_000);
  });

  it("holds no output for embeddings and nothing for counting tokens, but the request itself", () => {
    const embedding = estimate(
      request({ surface: "embeddings", maxOutputTokens: undefined }, { asciiBytes: 100 }),
      permit(),
      nowMs,
    );
    expect(embedding.amounts.tokens).toBe(embedding.promptTokens);
    expect(estimate(request({ surface: "count_tokens" }, { asciiBytes: 100 }), permit(), nowMs).amounts).toEqual(
      amountsOf(1, 0, 0, 0),
    );
  });

  it("holds the cost at the dearest deployment, with the whole prompt at its dearest rate, in whole micro-USD rounded up", () => {
    const dear: Price = { ...price, outputMicroUsdPerMillion: 10_000_001 };
    const { amounts, promptTokens } = estimate(request({}, { asciiBytes: 1_000 }), permit([price, dear, price]), nowMs);
    const exact = promptTokens * 2.5 + 100 * 10.000001;
    expect(amounts.microUsd).toBe(Math.ceil(exact));
    expect(amounts.microUsd).toBeGreaterThan(exact - 1);
  });

  it("holds speech by its length, and not as the text that its Base64 looks like", () => {
    const spoken = estimate(request({}, { asciiBytes: 100, audioBytes: 640_000 }), permit(), nowMs).promptTokens;
    expect(spoken - estimate(request({}, { asciiBytes: 100 }), permit(), nowMs).promptTokens).toBeLessThanOrEqual(10_000);
    expect(spoken).toBeGreaterThan(9_900);
  });

  describe("by a price with tiers", () => {
    const dear = { ...price, inputMicroUsdPerMillion: 20_000_000, outputMicroUsdPerMillion: 40_000_000 };
    const micro = (of: ModelRequest, more: Partial<Price>, laterPrices: DatedPrice[] = []): number => {
      const plain = permit([{ ...price, ...more }]);
      const deployments = plain.deployments.map((deployment) => ({ ...deployment, laterPrices }));
      return estimate(of, { ...plain, deployments }, nowMs).amounts.microUsd;
    };
    // 132 tokens of prompt and 100 of answer.
    const short = request({}, { asciiBytes: 200 });
    const usual = Math.ceil(132 * 2.5 + 100 * 10);

    it("holds a service tier's rates only where it is asked for, and the plain ones where the tier is cheaper", () => {
      const serviceTiers = { priority: dear, flex: { ...price, inputMicroUsdPerMillion: 1, outputMicroUsdPerMillion: 1 } };
      expect(micro(short, { serviceTiers })).toBe(usual);
      expect(micro({ ...short, serviceTier: "default" }, { serviceTiers })).toBe(usual);
      expect(micro({ ...short, serviceTier: "priority" }, { serviceTiers })).toBe(132 * 20 + 100 * 40);
      expect(micro({ ...short, serviceTier: "flex" }, { serviceTiers })).toBe(usual);
    });

    it("holds the rates of a long prompt where it may be one, and does not cut it off at the usual context", () => {
      const longContext = { aboveInputTokens: 131, rates: dear };
      expect(micro(short, { longContext })).toBe(132 * 20 + 100 * 40);
      expect(micro(short, { longContext: { ...longContext, aboveInputTokens: 132 } })).toBe(usual);
      const long = request({}, { asciiBytes: 100_000 });
      expect(estimate(long, permit([{ ...price, longContext }]), nowMs).promptTokens).toBe(50_032);
    });

    it("holds the rates of speech and pictures where the prompt has them, of an hour's cache and of an answer spoken or thought over always", () => {
      const rich = { audioInputMicroUsdPerMillion: 100_000_000, imageInputMicroUsdPerMillion: 50_000_000 };
      expect(micro(short, rich)).toBe(usual);
      expect(micro(request({}, { asciiBytes: 200, audioBytes: 64 }), rich)).toBe(133 * 100 + 100 * 10);
      expect(micro(request({}, { asciiBytes: 200, images: 1 }), rich)).toBe(5_132 * 50 + 100 * 10);
      expect(micro(short, { cacheWriteLongMicroUsdPerMillion: 4_000_000 })).toBe(132 * 4 + 100 * 10);
      expect(micro(short, { audioOutputMicroUsdPerMillion: 80_000_000 })).toBe(Math.ceil(132 * 2.5 + 100 * 80));
      expect(micro(short, { reasoningMicroUsdPerMillion: 90_000_000 })).toBe(Math.ceil(132 * 2.5 + 100 * 90));
    });

    it("holds the price of the moment of admission", () => {
      expect(micro(short, {}, [{ effectiveFromMs: nowMs + 1, price: dear }])).toBe(usual);
      expect(micro(short, {}, [{ effectiveFromMs: nowMs, price: dear }])).toBe(132 * 20 + 100 * 40);
    });
  });

  describe("with what was learnt", () => {
    const learned: Learned = { prompts: { textTokens: (_, prompt) => prompt.asciiBytes / 4 }, outputs: { expected: () => 200 } };
    const hold = (of: ModelRequest): Hold => estimate(of, permit(), nowMs, learned);

    it("holds prompts by what the model makes of them, and keeps the worst case beside it", () => {
      const { amounts, promptTokens, worstCase } = hold(request({}, { asciiBytes: 4_000 }));
      expect([promptTokens, amounts.inputTokens, worstCase.inputTokens]).toEqual([1_032, 1_032, 2_032]);
      expect(amounts.microUsd).toBeLessThan(worstCase.microUsd);
      expect(worstCase).toEqual(estimate(request({}, { asciiBytes: 4_000 }), permit(), nowMs).amounts);
    });

    it("holds for each choice how long answers lately were, only where the client names no ceiling", () => {
      expect(hold(request({ maxOutputTokens: undefined })).amounts.outputTokens).toBe(200);
      expect(hold(request({ maxOutputTokens: undefined, choices: 3 })).amounts.outputTokens).toBe(600);
      expect(hold(request({ maxOutputTokens: 900 })).amounts.outputTokens).toBe(900);
      expect(hold(request({ maxOutputTokens: 10 })).amounts.outputTokens).toBe(10);
    });

    it("never holds more than the worst case", () => {
      const wild: Learned = { prompts: { textTokens: () => 10 ** 9 }, outputs: { expected: () => 10 ** 9 } };
      const { amounts, worstCase } = estimate(
        request({ maxOutputTokens: undefined }, { asciiBytes: 400 }),
        permit(),
        nowMs,
        wild,
      );
      expect(amounts).toEqual(worstCase);
    });

    it("learns nothing that would bound what only the upstream knows", () => {
      expect(hold(request({ previousResponseId: "resp_1" }, { asciiBytes: 4 })).promptTokens).toBe(10_000);
      expect(hold(request({}, { asciiBytes: 4, unbounded: true })).promptTokens).toBe(10_000);
      expect(hold(request({}, { asciiBytes: 4, images: 1 })).promptTokens).toBeGreaterThan(5_000);
    });
  });

  describe("what is learnt from", () => {
    const reported = { ...unknownUsage, inputTokens: 400, outputTokens: 90 };
    const taught = (of: ModelRequest): Learning => {
      const learning = new Learning();
      for (let index = 0; index < 300; index++) learning.learn("acme", "model-a", of, reported);
      return learning;
    };
    const knows = (learning: Learning): boolean[] => [
      learning.prompts.sharePermille("model-a", { asciiBytes: 4_000, otherBytes: 0, images: 0 }) < 1_000,
      learning.outputs.expected("acme", "model-a") !== undefined,
    ];
    const text = { asciiBytes: 4_000 };

    it.each([
      ["text without a ceiling: both", request({ maxOutputTokens: undefined }, text), [true, true]],
      ["text with a ceiling, which may have cut the answer: the prompt", request({ maxOutputTokens: 100 }, text), [true, false]],
      ["an image: the answer", request({ maxOutputTokens: undefined }, { ...text, images: 1 }), [false, true]],
      ["speech: the answer", request({ maxOutputTokens: undefined }, { ...text, audioBytes: 5 }), [false, true]],
      ["a continued response: the answer", request({ maxOutputTokens: undefined, previousResponseId: "r" }, text), [false, true]],
    ] as const)("is, of %s", (_, of, expected) => {
      expect(knows(taught(of))).toEqual(expected);
    });

    it("is each choice of an answer by itself", () => {
      expect(taught(request({ maxOutputTokens: undefined, choices: 3 }, text)).outputs.expected("acme", "model-a")).toBe(31);
    });

    it("is nothing that the upstream did not count", () => {
      const learning = new Learning();
      for (let index = 0; index < 300; index++)
        learning.learn("acme", "model-a", request({ maxOutputTokens: undefined }, text), unknownUsage);
      expect(knows(learning)).toEqual([false, false]);
    });
  });
});
