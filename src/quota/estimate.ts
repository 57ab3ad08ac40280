import type { ModelRequest } from "../dialect/model-request.ts";
import type { Permit } from "../policy/permit.ts";
import type { Model } from "../region/catalogue.ts";
import { priceAt, type PriceSchedule } from "../region/price-at.ts";
import { ceilDivide } from "./ceil-divide.ts";
import { amountsOf, type Amounts } from "./limit.ts";
import type { PromptCalibration } from "./calibration.ts";
import { textBound } from "./prompt-bytes.ts";
import type { RecentOutputs } from "./recent-outputs.ts";
import { dearestMicroUsd } from "./dearest.ts";

/** What is held for one request. */
export interface Hold {
  readonly amounts: Amounts;
  /** The prompt's part of `amounts.tokens`. */
  readonly promptTokens: number;
  /** The most that it can use on any deployment of its permit; at least `amounts`, and the same where nothing was learnt. */
  readonly worstCase: Amounts;
}

/** What is known of earlier requests; without it the worst case is held. */
export interface Learned {
  readonly prompts: Pick<PromptCalibration, "textTokens">;
  readonly outputs: Pick<RecentOutputs, "expected">;
}

/** Providers scale an image down before they count it: the largest that the catalogue's makers document is below this. */
const tokensPerImage = 5_000;

/** What providers put around a prompt: roles, separators, the preamble that comes with tools. */
const framingTokens = 32;

/**
 * A second of speech is ten tokens at the providers that take it, and half a kilobyte at the least, seven hundred bytes in
 * Base64: one token for sixty-four bytes is above that, and a hundredth of what the same bytes would be as text.
 */
const audioBytesPerToken = 64;

const nothing: Amounts = amountsOf(1, 0, 0, 0);
const noHold: Hold = { amounts: nothing, promptTokens: 0, worstCase: nothing };

/**
 * What to hold for a request: its prompt and the output that it may ask for, at the dearest price it may meet. The worst
 * case where nothing is `learned` or the tenant wants no less; else prompts by what the model's tokenizer made of others,
 * and answers without a ceiling of the client's by how long they lately were. `atMs` is the time of admission, whose prices
 * hold for all of the request.
 */
export function estimate(request: ModelRequest, permit: Permit, atMs: number, learned?: Learned): Hold {
  // Counting tokens costs none.
  if (request.surface === "count_tokens") return noHold;
  const { model } = permit;
  const isLong = hasLongContext(permit, atMs);
  const worstPrompt = promptBound(request, model, textBound(request.prompt), isLong);
  const worstOutput = outputBound(request, model);
  const worstCase = priced(worstPrompt, worstOutput, request, permit, atMs);
  if (learned === undefined) return { amounts: worstCase, promptTokens: worstPrompt, worstCase };
  const promptTokens = Math.min(
    worstPrompt,
    promptBound(request, model, learned.prompts.textTokens(model.id, request.prompt), isLong),
  );
  const outputTokens = expectedOutput(request, permit, learned, worstOutput);
  if (promptTokens === worstPrompt && outputTokens === worstOutput) return { amounts: worstCase, promptTokens, worstCase };
  return { amounts: priced(promptTokens, outputTokens, request, permit, atMs), promptTokens, worstCase };
}

function priced(promptTokens: number, outputTokens: number, request: ModelRequest, permit: Permit, atMs: number): Amounts {
  let microUsd = 0;
  for (const schedule of schedulesOf(permit)) {
    microUsd = Math.max(microUsd, dearestMicroUsd(promptTokens, outputTokens, request, priceAt(schedule, atMs).price));
  }
  return amountsOf(1, promptTokens, outputTokens, microUsd);
}

function expectedOutput(request: ModelRequest, permit: Permit, learned: Learned, worst: number): number {
  if (request.maxOutputTokens !== undefined) return worst;
  const each = learned.outputs.expected(permit.tenantId, permit.model.id);
  return each === undefined ? worst : Math.min(worst, request.choices * each);
}

/** Permits are remembered from one request to the next, and many deployments have few prices: these are looked at alone. */
const knownSchedules = new WeakMap<Permit, readonly PriceSchedule[]>();

function schedulesOf(permit: Permit): readonly PriceSchedule[] {
  let schedules = knownSchedules.get(permit);
  if (schedules === undefined) {
    const distinct = new Map(
      permit.deployments.map((deployment) => [JSON.stringify([deployment.price, deployment.laterPrices]), deployment]),
    );
    knownSchedules.set(permit, (schedules = [...distinct.values()]));
  }
  return schedules;
}

/** Whether a provider takes more than the model's usual context, at a price of its own. */
function hasLongContext(permit: Permit, atMs: number): boolean {
  return schedulesOf(permit).some((schedule) => priceAt(schedule, atMs).price.longContext !== undefined);
}

function promptBound(request: ModelRequest, model: Model, textTokens: number, hasNoEnd: boolean): number {
  const { images, audioBytes = 0 } = request.prompt;
  const contexts = request.surface === "completions" ? Math.max(1, request.choices) : 1;
  // A stored conversation, a document elsewhere, a tool's result: billed as input, and only the upstream knows how much.
  if (request.previousResponseId !== undefined || request.prompt.unbounded === true) return contexts * model.contextTokens;
  const measured = textTokens + images * tokensPerImage + ceilDivide(audioBytes, audioBytesPerToken);
  if (measured === 0) return 0;
  // A list of texts to embed, or of prompts to complete, has a context for each.
  if (request.surface === "embeddings" || hasNoEnd) return measured + framingTokens;
  return Math.min(measured + framingTokens, contexts * model.contextTokens);
}

function outputBound(request: ModelRequest, model: Model): number {
  if (request.surface === "embeddings") return 0;
  return request.choices * Math.min(request.maxOutputTokens ?? model.maxOutputTokens, model.maxOutputTokens);
}
