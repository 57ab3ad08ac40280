import type { Answer } from "./answer.ts";
import type { JsonObject } from "./json.ts";
import { obfuscation } from "./sse.ts";
import { pieces, tokensOf } from "./tokens.ts";

export interface MessageItem {
  readonly id: string;
  readonly type: "message";
  readonly status: string;
  readonly content: readonly [
    { readonly type: "output_text"; readonly annotations: []; readonly logprobs: []; readonly text: string },
  ];
  readonly role: "assistant";
}

export interface ToolCallItem {
  readonly id: string;
  readonly type: "function_call";
  readonly status: string;
  readonly arguments: string;
  readonly call_id: string;
  readonly name: string;
}

/** One entry of a response's `output`. */
export type OutputItem = MessageItem | ToolCallItem;

/** An event before it has its sequence number. */
export interface OutputEvent {
  readonly type: string;
  readonly fields: JsonObject;
  readonly tokens?: number;
}

export function outputItems(answer: Answer, identifier: (prefix: string) => string): readonly OutputItem[] {
  const status = answer.finish === "length" ? "incomplete" : "completed";
  const calls = answer.calls.map((call, index): ToolCallItem => ({
    id: identifier("fc_"),
    type: "function_call",
    // Only the last call can have been cut: the ones before it were whole.
    status: index === answer.calls.length - 1 ? status : "completed",
    arguments: call.arguments,
    call_id: identifier("call_"),
    name: call.name,
  }));
  if (calls.length > 0 || answer.text === "") return calls;
  return [
    {
      id: identifier("msg_"),
      type: "message",
      status,
      content: [{ type: "output_text", annotations: [], logprobs: [], text: answer.text }],
      role: "assistant",
    },
  ];
}

export function* messageEvents(item: MessageItem, outputIndex: number): Generator<OutputEvent> {
  const [part] = item.content;
  const place = { item_id: item.id, output_index: outputIndex, content_index: 0 };
  yield added({ ...item, status: "in_progress", content: [] }, outputIndex);
  yield { type: "response.content_part.added", fields: { ...place, part: { ...part, text: "" } } };
  for (const piece of pieces(part.text)) {
    yield {
      type: "response.output_text.delta",
      fields: { ...place, delta: piece, logprobs: [], obfuscation: obfuscation(piece) },
      tokens: tokensOf(piece),
    };
  }
  yield { type: "response.output_text.done", fields: { ...place, text: part.text, logprobs: [] } };
  yield { type: "response.content_part.done", fields: { ...place, part } };
  yield finished(item, outputIndex);
}

export function* toolCallEvents(item: ToolCallItem, outputIndex: number): Generator<OutputEvent> {
  const place = { item_id: item.id, output_index: outputIndex };
  yield { ...added({ ...item, status: "in_progress", arguments: "" }, outputIndex), tokens: tokensOf(item.name) };
  for (const piece of pieces(item.arguments)) {
    yield {
      type: "response.function_call_arguments.delta",
      fields: { ...place, delta: piece, obfuscation: obfuscation(piece) },
      tokens: tokensOf(piece),
    };
  }
  yield { type: "response.function_call_arguments.done", fields: { ...place, arguments: item.arguments } };
  yield finished(item, outputIndex);
}

function added(item: JsonObject, outputIndex: number): OutputEvent {
  return { type: "response.output_item.added", fields: { output_index: outputIndex, item } };
}

function finished(item: OutputItem, outputIndex: number): OutputEvent {
  return { type: "response.output_item.done", fields: { output_index: outputIndex, item } };
}
