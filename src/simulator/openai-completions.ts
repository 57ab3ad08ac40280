import { composeAnswer, type Answer } from "./answer.ts";
import { completionFilter, promptFilterResults } from "./azure-filters.ts";
import { missingParameter, type UpstreamError } from "./errors.ts";
import type { Reply, SimulatedEvent, SimulatedExchange, StreamError } from "./exchange.ts";
import { countIn, objectIn, type JsonObject } from "./json.ts";
import { completionUsage, stopSequences } from "./openai-usage.ts";
import { cachedTokens } from "./prompt-cache.ts";
import { measurePrompt } from "./prompt.ts";
import { dataEvent, done, terminal } from "./sse.ts";
import { pieces, tokensOf } from "./tokens.ts";

/** Where the client names no ceiling, this surface has one of its own. */
const defaultMaxTokens = 16;

/** `POST …/completions`: `n` answers for each prompt of a batch; of `best_of` all are paid for and `n` are shown. */
export function completions(exchange: SimulatedExchange): Reply | UpstreamError {
  const { body, region, servedModel, answerTokens } = exchange;
  if (body["prompt"] === undefined) return missingParameter(exchange.wire, "prompt");
  const prompt = measurePrompt(body);
  const perPrompt = countIn(body["n"]) ?? 1;
  const choices = perPrompt * promptCount(body["prompt"]);
  const compose = (choice: number): Answer =>
    composeAnswer({
      body: {},
      prompt,
      region,
      model: servedModel,
      choice,
      choices,
      stop: stopSequences(body["stop"]),
      maxTokens: countIn(body["max_tokens"]) ?? defaultMaxTokens,
      answerTokens,
      schema: undefined,
    });
  const answers = Array.from({ length: choices }, (_, choice) => compose(choice));
  const unseen = Math.max(0, (countIn(body["best_of"]) ?? perPrompt) - perPrompt) * promptCount(body["prompt"]);
  const outputTokens = answers.reduce((sum, answer) => sum + answer.tokens, 0) + unseen * (answers[0]?.tokens ?? 0);
  const cached = cachedTokens(prompt.tokens, exchange.promptCache.see(prompt.digest));
  const usage = completionUsage(prompt.tokens, cached, outputTokens);
  const azure = exchange.wire === "azure";
  const asksUsage = objectIn(body["stream_options"])?.["include_usage"] === true;
  const head = {
    id: exchange.identifier("cmpl-"),
    object: "text_completion",
    created: exchange.nowSeconds,
    model: servedModel,
    system_fingerprint: "fp_simulated",
  };
  const choice = (index: number, text: string, finish: string | null): JsonObject => ({
    text,
    index,
    logprobs: null,
    finish_reason: finish,
    ...(azure ? { content_filter_results: completionFilter } : {}),
  });
  const failure = ({ type, code, message }: StreamError): SimulatedEvent =>
    dataEvent({ error: { message, type, param: null, code } });

  return {
    inputTokens: prompt.tokens,
    outputTokens,
    json: () => ({
      ...head,
      choices: answers.map((answer, index) => choice(index, answer.text, finishReason(answer))),
      usage,
      ...(azure ? { prompt_filter_results: promptFilterResults } : {}),
    }),
    *events() {
      if (azure)
        yield dataEvent({ ...head, id: "", model: "", created: 0, choices: [], prompt_filter_results: promptFilterResults });
      const usageField = asksUsage ? { usage: null } : {};
      for (const [index, answer] of answers.entries()) {
        for (const piece of pieces(answer.text)) {
          yield dataEvent({ ...head, choices: [choice(index, piece, null)], ...usageField }, tokensOf(piece));
        }
        yield dataEvent({ ...head, choices: [choice(index, "", finishReason(answer))], ...usageField });
      }
      if (asksUsage) yield dataEvent({ ...head, choices: [], usage });
      yield done;
    },
    failure,
    *refusal(error) {
      yield terminal(failure(error));
    },
  };
}

/** A list of texts, or of token lists, is a batch; a list of numbers is one prompt given as tokens. */
function promptCount(prompt: unknown): number {
  return Array.isArray(prompt) && typeof prompt[0] !== "number" ? Math.max(1, prompt.length) : 1;
}

function finishReason({ finish }: Answer): string {
  return finish === "length" ? "length" : "stop";
}
