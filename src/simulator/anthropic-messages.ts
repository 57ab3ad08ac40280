import { composeAnswer, schemaAsked, type Answer } from "./answer.ts";
import { missingParameter, type UpstreamError } from "./errors.ts";
import type { Reply, SimulatedEvent, SimulatedExchange, StreamError } from "./exchange.ts";
import { countIn, objectIn, parseObject, type JsonObject } from "./json.ts";
import { stopSequences } from "./openai-usage.ts";
import { measurePrompt } from "./prompt.ts";
import { typedEvent, terminal } from "./sse.ts";
import { pieces, tokensOf } from "./tokens.ts";

/** `POST /v1/messages`. */
export function messages(exchange: SimulatedExchange): Reply | UpstreamError {
  const { body, region, servedModel, answerTokens, wire } = exchange;
  if (!Array.isArray(body["messages"]) || body["messages"].length === 0) return missingParameter(wire, "messages");
  const maxTokens = countIn(body["max_tokens"]);
  if (maxTokens === undefined) return missingParameter(wire, "max_tokens");
  const prompt = measurePrompt(body);
  const schema = schemaAsked(objectIn(body["output_config"])?.["format"] ?? body["output_format"]);
  const answer = composeAnswer({
    body: parallelAllowed(body) ? body : { ...body, parallel_tool_calls: false },
    prompt,
    region,
    model: servedModel,
    choice: 0,
    choices: 1,
    stop: stopSequences(body["stop_sequences"]),
    maxTokens,
    answerTokens,
    schema,
  });
  return new MessageReply(exchange, answer, prompt.tokens, inputUsage(exchange, prompt.tokens, prompt.digest));
}

/** `POST /v1/messages/count_tokens`. */
export function countTokens(exchange: SimulatedExchange): Reply | UpstreamError {
  if (!Array.isArray(exchange.body["messages"])) return missingParameter(exchange.wire, "messages");
  const tokens = measurePrompt(exchange.body).tokens;
  return {
    // Counting is free of charge.
    inputTokens: 0,
    outputTokens: 0,
    json: () => ({ input_tokens: tokens }),
    events: () => [],
    failure,
    refusal: () => [],
  };
}

class MessageReply implements Reply {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly #answer: Answer;
  readonly #usage: JsonObject;
  readonly #head: JsonObject;
  readonly #geo: string;
  readonly #blocks: readonly JsonObject[];

  constructor(exchange: SimulatedExchange, answer: Answer, inputTokens: number, usage: JsonObject) {
    this.inputTokens = inputTokens;
    this.outputTokens = answer.tokens;
    this.#answer = answer;
    this.#usage = usage;
    this.#geo = exchange.inferenceGeo;
    this.#head = { model: exchange.servedModel, id: exchange.identifier("msg_"), type: "message", role: "assistant" };
    this.#blocks = answer.calls.map((call) => ({ type: "tool_use", id: exchange.identifier("toolu_"), name: call.name }));
  }

  json(): JsonObject {
    const calls = this.#answer.calls.map((call, index) => ({ ...this.#blocks[index], input: parseObject(call.arguments) ?? {} }));
    return {
      ...this.#head,
      content: calls.length > 0 ? calls : this.#textBlocks(),
      ...this.#stop(),
      usage: { ...this.#usage, output_tokens: this.outputTokens, service_tier: "standard", inference_geo: this.#geo },
    };
  }

  *events(): Generator<SimulatedEvent> {
    yield this.#start();
    if (this.#blocks.length > 0) yield* this.#callEvents();
    else if (this.#answer.text !== "") yield* this.#textEvents();
    const { cache_creation: _, ...cumulative } = this.#usage;
    yield typedEvent({ type: "message_delta", delta: this.#stop(), usage: { ...cumulative, output_tokens: this.outputTokens } });
    yield terminal(typedEvent({ type: "message_stop" }));
  }

  failure(error: StreamError): SimulatedEvent {
    return failure(error);
  }

  *refusal(error: StreamError): Generator<SimulatedEvent> {
    yield this.#start();
    yield terminal(failure(error));
  }

  #start(): SimulatedEvent {
    const usage = {
      ...this.#usage,
      output_tokens: Math.min(1, this.outputTokens),
      service_tier: "standard",
      inference_geo: this.#geo,
    };
    const message = { ...this.#head, content: [], stop_reason: null, stop_sequence: null, usage };
    return typedEvent({ type: "message_start", message });
  }

  *#textEvents(): Generator<SimulatedEvent> {
    yield typedEvent({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } });
    yield typedEvent({ type: "ping" });
    for (const text of pieces(this.#answer.text)) {
      yield typedEvent({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } }, tokensOf(text));
    }
    yield typedEvent({ type: "content_block_stop", index: 0 });
  }

  *#callEvents(): Generator<SimulatedEvent> {
    for (const [index, call] of this.#answer.calls.entries()) {
      yield typedEvent(
        { type: "content_block_start", index, content_block: { ...this.#blocks[index], input: {} } },
        tokensOf(call.name),
      );
      if (index === 0) yield typedEvent({ type: "ping" });
      for (const piece of ["", ...pieces(call.arguments)]) {
        const delta = { type: "input_json_delta", partial_json: piece };
        yield typedEvent({ type: "content_block_delta", index, delta }, tokensOf(piece));
      }
      yield typedEvent({ type: "content_block_stop", index });
    }
  }

  #textBlocks(): readonly JsonObject[] {
    return this.#answer.text === "" ? [] : [{ type: "text", text: this.#answer.text }];
  }

  #stop(): JsonObject {
    return { stop_reason: stopReasons[this.#answer.finish], stop_sequence: this.#answer.stopSequence ?? null };
  }
}

const stopReasons = { stop: "end_turn", stop_sequence: "stop_sequence", length: "max_tokens", tool_calls: "tool_use" } as const;

function failure({ type, message }: StreamError): SimulatedEvent {
  return typedEvent({ type: "error", error: { type, message } });
}

/** With a `cache_control` mark anywhere, the whole prompt is written to the cache the first time and read from it after. */
function inputUsage({ body, promptCache }: SimulatedExchange, tokens: number, digest: number): JsonObject {
  const marked = JSON.stringify([body["system"], body["tools"], body["messages"]]).includes('"cache_control"');
  const seen = marked && promptCache.see(digest);
  const written = marked && !seen ? tokens : 0;
  return {
    input_tokens: marked ? 0 : tokens,
    cache_creation_input_tokens: written,
    cache_read_input_tokens: seen ? tokens : 0,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: 0 },
  };
}

function parallelAllowed(body: JsonObject): boolean {
  return objectIn(body["tool_choice"])?.["disable_parallel_tool_use"] !== true;
}
