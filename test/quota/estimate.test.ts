import { describe, expect, it } from "vitest";
import type { ModelRequest, PromptMeasure } from "../../src/dialect/model-request.ts";
import type { Permit } from "../../src/policy/permit.ts";
import { estimate } from "../../src/quota/estimate.ts";
import type { Deployment, Model, Price } from "../../src/region/catalogue.ts";

const price: Price = {
  inputMicroUsdPerMillion: 2_000_000,
  cachedInputMicroUsdPerMillion: 500_000,
  cacheWriteMicroUsdPerMillion: 2_500_000,
  outputMicroUsdPerMillion: 10_000_000,
};

function permit(prices: readonly Price[] = [price]): Permit {
  const model = { id: "model-a", contextTokens: 10_000, maxOutputTokens: 1_000 } as Model;
  const deployments = prices.map((of) => ({ model, price: of }) as Deployment);
  return { tenantId: "acme", model, deployments, refused: [], rules: [], policyVersion: "1", catalogueDigest: "d" };
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
    bodyFor: () => new Uint8Array(),
    release: () => undefined,
    ...more,
  };
}

const tokens = (of: ModelRequest): number => estimate(of, permit()).amounts.tokens;

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
    expect(estimate(request({}, long), permit()).promptTokens).toBe(10_000);
    expect(estimate(request({ surface: "completions", choices: 3 }, long), permit()).promptTokens).toBe(30_000);
    expect(estimate(request({ surface: "embeddings" }, long), permit()).promptTokens).toBeGreaterThan(50_000);
  });

  it("holds the whole context where the body does not bound the prompt: nobody here knows its length", () => {
    expect(estimate(request({}, { asciiBytes: 10, unbounded: true }), permit()).promptTokens).toBe(10_000);
    expect(estimate(request({ previousResponseId: "resp_1" }, { asciiBytes: 10 }), permit()).promptTokens).toBe(10_000);
  });

  it("holds no output for embeddings and nothing for counting tokens, but the request itself", () => {
    const embedding = estimate(request({ surface: "embeddings", maxOutputTokens: undefined }, { asciiBytes: 100 }), permit());
    expect(embedding.amounts.tokens).toBe(embedding.promptTokens);
    expect(estimate(request({ surface: "count_tokens" }, { asciiBytes: 100 }), permit()).amounts).toEqual({ requests: 1, tokens: 0, microUsd: 0 });
  });

  it("holds the cost at the dearest deployment, with the whole prompt at its dearest rate, in whole micro-USD rounded up", () => {
    const dear: Price = { ...price, outputMicroUsdPerMillion: 10_000_001 };
    const { amounts, promptTokens } = estimate(request({}, { asciiBytes: 1_000 }), permit([price, dear, price]));
    const exact = promptTokens * 2.5 + 100 * 10.000001;
    expect(amounts.microUsd).toBe(Math.ceil(exact));
    expect(amounts.microUsd).toBeGreaterThan(exact - 1);
  });
});
