/** Streams as providers send them, made up here: the shapes are real, the words are not. */

export function sse(events: readonly unknown[], lineEnd = "\n"): string {
  return events
    .map((event) => (typeof event === "string" ? `data: ${event}` : `data: ${JSON.stringify(event)}`) + lineEnd + lineEnd)
    .join("");
}

/** Typed events with their names, as the Responses API and Anthropic send them. */
export function namedSse(events: readonly { readonly type: string }[], lineEnd = "\n"): string {
  return events.map((event) => `event: ${event.type}${lineEnd}data: ${JSON.stringify(event)}${lineEnd}${lineEnd}`).join("");
}

const chunk = (parts: Readonly<Record<string, unknown>>): unknown => ({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt-served",
  usage: null,
  ...parts,
});
const delta = (value: unknown, finish: string | null = null): unknown =>
  chunk({ choices: [{ index: 0, delta: value, finish_reason: finish }] });

export const chatUsage = {
  prompt_tokens: 21,
  completion_tokens: 9,
  total_tokens: 30,
  prompt_tokens_details: { cached_tokens: 8 },
  completion_tokens_details: { reasoning_tokens: 4 },
};

/** Role first, then words, then the end, then usage alone, then `[DONE]`. */
export const openaiChat: readonly unknown[] = [
  delta({ role: "assistant", content: "", refusal: null }),
  delta({ content: "Uhu" }),
  delta({ content: ' says "usage":{ and error' }),
  delta({}, "stop"),
  chunk({ choices: [], usage: chatUsage }),
  "[DONE]",
];

/** Azure: a first event without choices, id and model; filters; another model than the one asked for. */
export const azureChat: readonly unknown[] = [
  {
    choices: [],
    created: 0,
    id: "",
    model: "",
    object: "",
    prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }],
  },
  ...openaiChat,
];

/** Usage beside the last choice instead of alone (DeepSeek), with the cache counted in its own words. */
export const usageBesideChoice: readonly unknown[] = [
  delta({ role: "assistant", content: null, reasoning_content: "" }),
  delta({ content: null, reasoning_content: "hm" }),
  delta({ content: "yes", reasoning_content: null }),
  chunk({
    choices: [{ index: 0, delta: { content: "" }, finish_reason: "stop" }],
    usage: {
      prompt_tokens: 40,
      completion_tokens: 6,
      total_tokens: 46,
      prompt_cache_hit_tokens: 32,
      prompt_cache_miss_tokens: 8,
    },
  }),
  "[DONE]",
];

/** A server that counts along with every chunk (vLLM's continuous usage). */
export const countingAlong: readonly unknown[] = [
  chunk({
    choices: [{ index: 0, delta: { role: "assistant", content: "" }, finish_reason: null }],
    usage: { prompt_tokens: 5, completion_tokens: 0, total_tokens: 5 },
  }),
  chunk({
    choices: [{ index: 0, delta: { content: "a" }, finish_reason: null }],
    usage: { prompt_tokens: 5, completion_tokens: 1, total_tokens: 6 },
  }),
  chunk({
    choices: [{ index: 0, delta: { content: "b" }, finish_reason: "stop" }],
    usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
  }),
  "[DONE]",
];

export const completions: readonly unknown[] = [
  {
    id: "cmpl-1",
    object: "text_completion",
    model: "gpt-instruct",
    choices: [{ text: "", index: 0, finish_reason: null }],
    usage: null,
  },
  {
    id: "cmpl-1",
    object: "text_completion",
    model: "gpt-instruct",
    choices: [{ text: "Uhu", index: 0, finish_reason: null }],
    usage: null,
  },
  {
    id: "cmpl-1",
    object: "text_completion",
    model: "gpt-instruct",
    choices: [{ text: "", index: 0, finish_reason: "stop" }],
    usage: null,
  },
  {
    id: "cmpl-1",
    object: "text_completion",
    model: "gpt-instruct",
    choices: [],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  },
  "[DONE]",
];

export interface Typed {
  readonly [member: string]: unknown;
  readonly type: string;
}

export const responsesUsage = {
  input_tokens: 50,
  input_tokens_details: { cached_tokens: 16, cache_write_tokens: 3 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 12 },
  total_tokens: 70,
};

const response = (status: string, parts: Readonly<Record<string, unknown>> = {}): unknown => ({
  id: "resp_1",
  object: "response",
  status,
  model: "gpt-served",
  output: [],
  usage: null,
  ...parts,
});

export function responses(end: "completed" | "incomplete" | "failed", result = "cGljdHVyZQ=="): readonly Typed[] {
  const output = [
    { id: "ig_1", type: "image_generation_call", result, usage: { input_tokens: 999 } },
    { id: "msg_1", type: "message", content: [{ type: "output_text", text: 'Uhu "}{', annotations: [] }] },
  ];
  const error = end === "failed" ? { code: "server_error", message: "broke" } : null;
  return [
    { type: "response.created", sequence_number: 0, response: response("in_progress") },
    { type: "response.in_progress", sequence_number: 1, response: response("in_progress") },
    {
      type: "response.output_item.added",
      sequence_number: 2,
      output_index: 0,
      item: { type: "image_generation_call", id: "ig_1" },
    },
    { type: "response.image_generation_call.partial_image", sequence_number: 3, partial_image_b64: result },
    { type: "response.output_text.delta", sequence_number: 4, delta: "event: response.completed", obfuscation: "x" },
    { type: "response.output_text.done", sequence_number: 5, text: "Uhu" },
    {
      type: `response.${end}`,
      sequence_number: 6,
      response: response(end, { output, error, usage: end === "failed" ? null : responsesUsage, metadata: {} }),
    },
  ] as readonly Typed[];
}

/** Usage in parts; what the provider's own tools read is only in the last one. */
export function messages(
  start: Readonly<Record<string, unknown>>,
  end: Readonly<Record<string, unknown>> | undefined,
): readonly Typed[] {
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-served",
    content: [],
    stop_reason: null,
    usage: start,
  };
  return [
    { type: "message_start", message },
    { type: "ping" },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Uhu message" } },
    { type: "ping" },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: " speaks" } },
    { type: "content_block_stop", index: 0 },
    ...(end === undefined ? [] : [{ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: end }]),
    { type: "message_stop" },
  ] as readonly Typed[];
}
