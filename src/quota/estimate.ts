import type { ModelRequest } from "../dialect/model-request.ts";
import type { Permit } from "../policy/permit.ts";
import type { Model, Price } from "../region/catalogue.ts";
import { ceilDivide } from "./ceil-divide.ts";
import type { Amounts } from "./limit.ts";
import { tokenCostMicroUsd } from "./token-cost.ts";

/** What is held for one request: the most that it can use on any deployment of its permit. */
export interface Hold {
  readonly amounts: Amounts;
  /** The prompt's part of `amounts.tokens`. */
  readonly promptTokens: number;
}

/**
 * A token of a real prompt in ASCII is two bytes or longer: prose has about four to a token, source code three, digits up
 * to three, hex and Base64 two and a little less. Text made to be worse (one rare character after another) reaches one,
 * and is then charged above its hold: holding twice as much for everybody would refuse honest clients for its sake.
 */
const asciiBytesPerToken = 2;

/**
 * Byte-level tokenizers never make more than one token of one byte, and for rare scripts and emoji they come close. For
 * Chinese it is about three times too much, which settling gives back.
 */
const otherBytesPerToken = 1;

/** Providers scale an image down before they count it: the largest that the catalogue's makers document is below this. */
const tokensPerImage = 5_000;

/** What providers put around a prompt: roles, separators, the preamble that comes with tools. */
const framingTokens = 32;

const nothing: Amounts = { requests: 1, tokens: 0, microUsd: 0 };

/** The upper bound held for a request: its prompt, and all the output that it may ask for, at the dearest price it may meet. */
export function estimate(request: ModelRequest, permit: Permit): Hold {
  // Counting tokens costs none.
  if (request.surface === "count_tokens") return { amounts: nothing, promptTokens: 0 };
  const promptTokens = promptBound(request, permit.model);
  const outputTokens = outputBound(request, permit.model);
  let microUsd = 0;
  for (const price of pricesOf(permit)) microUsd = Math.max(microUsd, dearest(promptTokens, outputTokens, price));
  return { amounts: { requests: 1, tokens: promptTokens + outputTokens, microUsd }, promptTokens };
}

/** Permits are remembered from one request to the next, and many deployments have few prices: these are looked at alone. */
const knownPrices = new WeakMap<Permit, readonly Price[]>();

function pricesOf(permit: Permit): readonly Price[] {
  let prices = knownPrices.get(permit);
  if (prices === undefined) {
    const distinct = new Map(permit.deployments.map(({ price }) => [JSON.stringify(price), price]));
    knownPrices.set(permit, (prices = [...distinct.values()]));
  }
  return prices;
}

function promptBound(request: ModelRequest, model: Model): number {
  const { asciiBytes, otherBytes, images } = request.prompt;
  const contexts = request.surface === "completions" ? Math.max(1, request.choices) : 1;
  // A stored conversation, a document elsewhere, a tool's result: billed as input, and only the upstream knows how much.
  if (request.previousResponseId !== undefined || request.prompt.unbounded === true) return contexts * model.contextTokens;
  const measured = ceilDivide(asciiBytes, asciiBytesPerToken) + ceilDivide(otherBytes, otherBytesPerToken) + images * tokensPerImage;
  if (measured === 0) return 0;
  // A list of texts to embed, or of prompts to complete, has a context for each.
  if (request.surface === "embeddings") return measured + framingTokens;
  return Math.min(measured + framingTokens, contexts * model.contextTokens);
}

function outputBound(request: ModelRequest, model: Model): number {
  if (request.surface === "embeddings") return 0;
  return request.choices * Math.min(request.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens);
}

/** Any part of a prompt may be read from the provider's cache or written to it, and a write can cost more than plain input. */
function dearest(inputTokens: number, outputTokens: number, price: Price): number {
  const tokens = { plainInput: 0, cachedInput: 0, cacheWrite: 0, output: outputTokens };
  const plain = tokenCostMicroUsd({ ...tokens, plainInput: inputTokens }, price);
  const cached = tokenCostMicroUsd({ ...tokens, cachedInput: inputTokens }, price);
  const written = tokenCostMicroUsd({ ...tokens, cacheWrite: inputTokens }, price);
  return Math.max(plain, cached, written);
}
