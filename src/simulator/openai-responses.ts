import { composeAnswer, schemaAsked, type Answer } from "./answer.ts";
import { responseFilters } from "./azure-filters.ts";
import { missingParameter, unknownPreviousResponse, type UpstreamError } from "./errors.ts";
import type { Reply, SimulatedEvent, SimulatedExchange, StreamError } from "./exchange.ts";
import { countIn, listIn, objectIn, textIn, type JsonObject } from "./json.ts";
import { cachedTokens } from "./prompt-cache.ts";
import { measurePrompt, type Prompt } from "./prompt.ts";
import { messageEvents, outputItems, toolCallEvents, type OutputItem } from "./response-output.ts";
import { typedEvent, terminal } from "./sse.ts";

/** `POST …/responses`, on OpenAI and on Azure. */
export function responses(exchange: SimulatedExchange): Reply | UpstreamError {
  const { body, region, servedModel, answerTokens } = exchange;
  const previousId = textIn(body["previous_response_id"]);
  if (body["input"] === undefined && previousId === undefined) return missingParameter(exchange.wire, "input");
  const previous = previousId === undefined ? undefined : exchange.responses.get(previousId);
  if (previousId !== undefined && previous === undefined) return unknownPreviousResponse(previousId);
  const prompt = measurePrompt(body);
  const answer = composeAnswer({
    body,
    prompt,
    region,
    model: servedModel,
    choice: 0,
    choices: 1,
    stop: [],
    maxTokens: countIn(body["max_output_tokens"]),
    answerTokens,
    schema: schemaAsked(objectIn(body["text"])?.["format"]),
  });
  return new ResponseReply(exchange, answer, prompt, prompt.tokens + (previous?.contextTokens ?? 0));
}

class ResponseReply implements Reply {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly #exchange: SimulatedExchange;
  readonly #answer: Answer;
  readonly #promptBytes: number;
  readonly #id: string;
  readonly #items: readonly OutputItem[];
  readonly #usage: JsonObject;
  #sequence = 0;

  constructor(exchange: SimulatedExchange, answer: Answer, prompt: Prompt, inputTokens: number) {
    this.inputTokens = inputTokens;
    this.outputTokens = answer.tokens;
    this.#exchange = exchange;
    this.#answer = answer;
    this.#promptBytes = prompt.bytes;
    this.#id = exchange.identifier("resp_");
    this.#items = outputItems(answer, (prefix) => exchange.identifier(prefix));
    const cached = cachedTokens(prompt.tokens, exchange.promptCache.see(prompt.digest));
    this.#usage = {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: cached },
      output_tokens: answer.tokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: inputTokens + answer.tokens,
    };
  }

  json(): JsonObject {
    const response = this.#finished();
    this.#store(response);
    return response;
  }

  *events(): Generator<SimulatedEvent> {
    const started = this.#envelope("in_progress");
    yield this.#event("response.created", { response: started });
    yield this.#event("response.in_progress", { response: started });
    for (const [index, item] of this.#items.entries()) {
      const events = item.type === "message" ? messageEvents(item, index) : toolCallEvents(item, index);
      for (const { type, fields, tokens } of events) yield this.#event(type, fields, tokens);
    }
    const response = this.#finished();
    this.#store(response);
    yield terminal(this.#event(`response.${textIn(response["status"])}`, { response }));
  }

  /** As sent on the wire: the error nested, unlike the flat form in the API's reference. */
  failure({ type, code, message }: StreamError): SimulatedEvent {
    return this.#event("error", { error: { type, code, message, param: null } });
  }

  /** Azure first fails the response without saying why, then says why; OpenAI says why and then fails. */
  *refusal(error: StreamError): Generator<SimulatedEvent> {
    yield this.#event("response.created", { response: this.#envelope("in_progress") });
    if (this.#exchange.wire === "azure") {
      yield this.#event("response.failed", { response: this.#envelope("failed") });
      yield terminal(this.failure(error));
      return;
    }
    yield this.#event("response.in_progress", { response: this.#envelope("in_progress") });
    yield this.failure(error);
    const failed = { ...this.#envelope("failed"), error: { code: error.code, message: error.message } };
    yield terminal(this.#event("response.failed", { response: failed }));
  }

  #event(type: string, fields: JsonObject, tokens: number = 0): SimulatedEvent {
    return typedEvent({ type, sequence_number: this.#sequence++, ...fields }, tokens);
  }

  #finished(): JsonObject {
    const cut = this.#answer.finish === "length";
    return {
      ...this.#envelope(cut ? "incomplete" : "completed"),
      completed_at: cut ? null : this.#exchange.nowSeconds,
      incomplete_details: cut ? { reason: "max_output_tokens" } : null,
      output: this.#items,
      service_tier: "default",
      usage: this.#usage,
      ...(this.#exchange.wire === "azure"
        ? { content_filters: responseFilters(this.#promptBytes, this.#answer.text.length) }
        : {}),
    };
  }

  /** The settings of the request come back, as on the real API, except `instructions`, which are prompt text. */
  #envelope(status: string): JsonObject {
    const { body, wire, servedModel, nowSeconds } = this.#exchange;
    return {
      id: this.#id,
      object: "response",
      created_at: nowSeconds,
      status,
      background: false,
      completed_at: null,
      ...(wire === "azure" ? { content_filters: null } : {}),
      error: null,
      incomplete_details: null,
      instructions: null,
      max_output_tokens: body["max_output_tokens"] ?? null,
      max_tool_calls: body["max_tool_calls"] ?? null,
      model: servedModel,
      output: [],
      parallel_tool_calls: body["parallel_tool_calls"] ?? true,
      previous_response_id: body["previous_response_id"] ?? null,
      prompt_cache_key: null,
      prompt_cache_retention: null,
      reasoning: { effort: "none", summary: null },
      safety_identifier: null,
      service_tier: "auto",
      store: this.#stores,
      system_fingerprint: "fp_simulated",
      temperature: body["temperature"] ?? 1,
      text: { format: objectIn(body["text"])?.["format"] ?? { type: "text" }, verbosity: "medium" },
      tool_choice: body["tool_choice"] ?? "auto",
      tools: listIn(body["tools"]),
      top_logprobs: 0,
      top_p: body["top_p"] ?? 1,
      truncation: "disabled",
      usage: null,
      user: null,
      metadata: objectIn(body["metadata"]) ?? {},
    };
  }

  get #stores(): boolean {
    return this.#exchange.body["store"] !== false;
  }

  #store(response: JsonObject): void {
    if (this.#stores) this.#exchange.responses.put(this.#id, { response, contextTokens: this.inputTokens + this.outputTokens });
  }
}
