import { objectIn, textIn, type JsonObject } from "./json.ts";
import type { Prompt } from "./prompt.ts";
import { valueFor } from "./schema-value.ts";
import { bytesPerToken, firstTokens, tokensOf, utf8Length } from "./tokens.ts";
import { toolsToCall } from "./tools.ts";

export interface ToolCall {
  readonly name: string;
  /** JSON text; cut short where the answer's ceiling was reached. */
  readonly arguments: string;
}

export type Finish = "stop" | "stop_sequence" | "length" | "tool_calls";

/** What the simulated model says, before a wire dresses it. */
export interface Answer {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly finish: Finish;
  readonly stopSequence: string | undefined;
  /** Never above the client's ceiling: a reservation relies on that of real models too. */
  readonly tokens: number;
}

export interface AnswerRequest {
  readonly body: JsonObject;
  readonly prompt: Prompt;
  readonly region: { readonly id: string; readonly displayName: string; readonly country: string };
  readonly model: string;
  /** From 0; the text tells choices apart. */
  readonly choice: number;
  readonly choices: number;
  readonly stop: readonly string[];
  /** The client's ceiling. */
  readonly maxTokens: number | undefined;
  readonly answerTokens: number | undefined;
  /** A JSON Schema that the text must follow; `undefined` for prose. */
  readonly schema: unknown;
}

const filler = " The weights stay where they are, the tokens travel, and nobody trained on this sentence.";

export function composeAnswer(request: AnswerRequest): Answer {
  const tools = toolsToCall(request.body, request.prompt);
  if (tools.length > 0) {
    const text = `simulated by ${request.region.displayName}`;
    return cutCalls(
      tools.map((tool) => ({ name: tool.name, arguments: JSON.stringify(valueFor(tool.schema, text) ?? {}) })),
      request.maxTokens ?? Infinity,
    );
  }
  return cutText(request.schema === undefined ? prose(request) : structured(request), request);
}

/** Says what the request asked for as text: OpenAI's `response_format`, Responses' `text.format`, Anthropic's `output_config`. */
export function schemaAsked(format: unknown): unknown {
  const object = objectIn(format);
  switch (textIn(object?.["type"])) {
    case "json_schema":
      return objectIn(object?.["json_schema"])?.["schema"] ?? object?.["schema"] ?? {};
    case "json_object":
      return { type: "object", properties: { simulated: { type: "boolean" }, from: { type: "string" } } };
    default:
      return undefined;
  }
}

/** Nothing of the prompt but its length is repeated: a simulation must not become the place where prompts leak. */
function prose({ region, model, prompt, choice, choices, answerTokens }: AnswerRequest): string {
  const which = choices > 1 ? ` This is choice ${choice + 1} of ${choices}.` : "";
  const text =
    `Simulated answer from ${region.displayName} (${region.country}): no model was asked. ` +
    `With credentials, ${model} in region ${region.id} would have read your prompt of ${prompt.bytes} bytes and answered here.${which}`;
  if (answerTokens === undefined) return text;
  const missingBytes = answerTokens * bytesPerToken - utf8Length(text);
  const padded = missingBytes > 0 ? text + filler.repeat(Math.ceil(missingBytes / filler.length)) : text;
  return firstTokens(padded, answerTokens);
}

function structured({ region, schema }: AnswerRequest): string {
  return JSON.stringify(valueFor(schema, `Simulated answer from ${region.displayName}`));
}

function cutText(whole: string, { stop, maxTokens }: AnswerRequest): Answer {
  const text = maxTokens === undefined ? whole : firstTokens(whole, maxTokens);
  const found = earliestStop(text, stop);
  if (found !== undefined) {
    const before = text.slice(0, found.at);
    return { text: before, calls: [], finish: "stop_sequence", stopSequence: found.sequence, tokens: tokensOf(before) };
  }
  const finish = text.length < whole.length ? "length" : "stop";
  return { text, calls: [], finish, stopSequence: undefined, tokens: tokensOf(text) };
}

function earliestStop(text: string, stop: readonly string[]): { at: number; sequence: string } | undefined {
  return stop
    .filter((sequence) => sequence !== "")
    .map((sequence) => ({ at: text.indexOf(sequence), sequence }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at)[0];
}

function cutCalls(wanted: readonly ToolCall[], maxTokens: number): Answer {
  const calls: ToolCall[] = [];
  let tokens = 0;
  for (const call of wanted) {
    const left = maxTokens - tokens - tokensOf(call.name);
    if (left <= 0) return { text: "", calls, finish: "length", stopSequence: undefined, tokens };
    const written = left === Infinity ? call.arguments : firstTokens(call.arguments, left);
    calls.push({ name: call.name, arguments: written });
    tokens += tokensOf(call.name) + tokensOf(written);
    if (written.length < call.arguments.length) return { text: "", calls, finish: "length", stopSequence: undefined, tokens };
  }
  return { text: "", calls, finish: "tool_calls", stopSequence: undefined, tokens };
}
