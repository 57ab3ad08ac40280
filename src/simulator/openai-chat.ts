import { composeAnswer, schemaAsked, type Answer } from "./answer.ts";
import { completionFilter, promptFilterResults } from "./azure-filters.ts";
import { missingParameter, type UpstreamError } from "./errors.ts";
import type { Reply, SimulatedEvent, SimulatedExchange, StreamError } from "./exchange.ts";
import { countIn, objectIn, type JsonObject } from "./json.ts";
import { completionUsage, stopSequences } from "./openai-usage.ts";
import { cachedTokens } from "./prompt-cache.ts";
import { measurePrompt } from "./prompt.ts";
import { dataEvent, done, obfuscation, terminal } from "./sse.ts";
import { pieces, tokensOf } from "./tokens.ts";

/** `POST …/chat/completions`, on OpenAI and on Azure. */
export function chatCompletions(exchange: SimulatedExchange): Reply | UpstreamError {
  const { body, region, servedModel, answerTokens } = exchange;
  if (!Array.isArray(body["messages"]) || body["messages"].length === 0) return missingParameter(exchange.wire, "messages");
  const prompt = measurePrompt(body);
  const choices = countIn(body["n"]) ?? 1;
  const answers = Array.from({ length: choices }, (_, choice) =>
    composeAnswer({
      body,
      prompt,
      region,
      model: servedModel,
      choice,
      choices,
      stop: stopSequences(body["stop"]),
      maxTokens: countIn(body["max_completion_tokens"]) ?? countIn(body["max_tokens"]),
      answerTokens,
      schema: schemaAsked(body["response_format"]),
    }),
  );
  const outputTokens = answers.reduce((sum, answer) => sum + answer.tokens, 0);
  const cached = cachedTokens(prompt.tokens, exchange.promptCache.see(prompt.digest));
  return new ChatReply(exchange, answers, prompt.tokens, outputTokens, completionUsage(prompt.tokens, cached, outputTokens));
}

class ChatReply implements Reply {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly #answers: readonly Answer[];
  readonly #usage: JsonObject;
  readonly #azure: boolean;
  readonly #asksUsage: boolean;
  readonly #callIds: readonly (readonly string[])[];
  readonly #head: JsonObject;

  constructor(
    exchange: SimulatedExchange,
    answers: readonly Answer[],
    inputTokens: number,
    outputTokens: number,
    usage: JsonObject,
  ) {
    this.inputTokens = inputTokens;
    this.outputTokens = outputTokens;
    this.#answers = answers;
    this.#usage = usage;
    this.#azure = exchange.wire === "azure";
    this.#asksUsage = objectIn(exchange.body["stream_options"])?.["include_usage"] === true;
    this.#callIds = answers.map((answer) => answer.calls.map(() => exchange.identifier("call_")));
    this.#head = {
      id: exchange.identifier("chatcmpl-"),
      created: exchange.nowSeconds,
      model: exchange.servedModel,
      service_tier: "default",
      system_fingerprint: "fp_simulated",
    };
  }

  json(): JsonObject {
    return {
      ...this.#head,
      object: "chat.completion",
      choices: this.#answers.map((answer, index) => ({
        index,
        message: {
          role: "assistant",
          content: answer.calls.length > 0 ? null : answer.text,
          refusal: null,
          annotations: [],
          ...(answer.calls.length > 0 ? { tool_calls: this.#toolCalls(answer, index) } : {}),
        },
        logprobs: null,
        finish_reason: finishReason(answer),
        ...(this.#azure ? { content_filter_results: completionFilter } : {}),
      })),
      usage: this.#usage,
      ...(this.#azure ? { prompt_filter_results: promptFilterResults } : {}),
    };
  }

  *events(): Generator<SimulatedEvent> {
    if (this.#azure) yield promptFilterEvent();
    for (const [index, answer] of this.#answers.entries()) {
      const hasCalls = answer.calls.length > 0;
      yield this.#chunk(index, { role: "assistant", content: hasCalls ? null : "", refusal: null }, null, "", {});
      for (const piece of pieces(answer.text)) yield this.#chunk(index, { content: piece }, null, piece);
      yield* this.#callChunks(answer, index);
      yield this.#chunk(index, {}, finishReason(answer), "", {});
    }
    if (this.#asksUsage) yield dataEvent({ ...this.#chunkHead(), choices: [], usage: this.#usage, obfuscation: obfuscation("") });
    yield done;
  }

  failure({ type, code, message }: StreamError): SimulatedEvent {
    return dataEvent({ error: { message, type, param: null, code } });
  }

  *refusal(error: StreamError): Generator<SimulatedEvent> {
    if (this.#azure) yield promptFilterEvent();
    yield terminal(this.failure(error));
  }

  *#callChunks(answer: Answer, index: number): Generator<SimulatedEvent> {
    for (const [position, call] of this.#toolCalls(answer, index).entries()) {
      const opening = { index: position, id: call.id, type: "function", function: { name: call.function.name, arguments: "" } };
      yield this.#chunk(index, { tool_calls: [opening] }, null, call.function.name);
      for (const piece of pieces(call.function.arguments)) {
        yield this.#chunk(index, { tool_calls: [{ index: position, function: { arguments: piece } }] }, null, piece);
      }
    }
  }

  #toolCalls(answer: Answer, index: number): { id: string; type: "function"; function: { name: string; arguments: string } }[] {
    return answer.calls.map((call, position) => ({
      id: this.#callIds[index]?.[position] ?? "",
      type: "function",
      function: { name: call.name, arguments: call.arguments },
    }));
  }

  #chunkHead(): JsonObject {
    return { ...this.#head, object: "chat.completion.chunk" };
  }

  #chunk(
    index: number,
    delta: JsonObject,
    finish: string | null,
    text: string,
    filter: JsonObject = completionFilter,
  ): SimulatedEvent {
    return dataEvent(
      {
        ...this.#head,
        object: "chat.completion.chunk",
        choices: [
          { index, delta, logprobs: null, finish_reason: finish, ...(this.#azure ? { content_filter_results: filter } : {}) },
        ],
        // Only with `include_usage` do the earlier chunks carry the field at all.
        ...(this.#asksUsage ? { usage: null } : {}),
        obfuscation: obfuscation(text),
      },
      tokensOf(text),
    );
  }
}

/** Azure's first event has neither choices nor an id: code that reads `choices[0]` breaks on it. */
function promptFilterEvent(): SimulatedEvent {
  return dataEvent({ choices: [], created: 0, id: "", model: "", object: "", prompt_filter_results: promptFilterResults });
}

function finishReason({ finish }: Answer): string {
  return finish === "stop_sequence" ? "stop" : finish;
}
