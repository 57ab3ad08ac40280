import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Usage } from "../../src/upstream/usage.ts";
import type { Surface } from "../../src/region/catalogue.ts";
import { DocumentBody, StreamBody } from "../../src/upstream/body.ts";
import { StreamMeter } from "../../src/upstream/meter.ts";
import { bytesOf, cutAt, cuts, joined, singleBytes } from "../support/chunks.ts";
import {
  azureChat,
  chatUsage,
  completions,
  countingAlong,
  messages,
  namedSse,
  openaiChat,
  responses,
  sse,
  usageBesideChoice,
} from "./streams.ts";

interface Read {
  readonly body: StreamBody;
  readonly shown: string;
  /** What had been handed on when the body committed itself. */
  readonly committedAfter: string | undefined;
}

function read(surface: Surface, pieces: readonly Uint8Array[], showUsage = true, maxEventBytes = 1_000_000): Read {
  const body = new StreamBody(surface, showUsage, maxEventBytes);
  const shown: Uint8Array[] = [];
  let committedAfter: string | undefined;
  for (const piece of pieces) {
    body.push(piece, (bytes) => shown.push(bytes.slice()));
    if (body.committed) committedAfter ??= new TextDecoder().decode(joined(shown));
  }
  return { body, shown: new TextDecoder().decode(joined(shown)), committedAfter };
}

const usageOf = (parts: Partial<Usage>): Usage => ({
  inputTokens: undefined,
  cachedInputTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: undefined,
  reasoningTokens: undefined,
  ...parts,
});

const chatRead = usageOf({ inputTokens: 21, cachedInputTokens: 8, outputTokens: 9, reasoningTokens: 4 });
const responsesRead = usageOf({
  inputTokens: 50,
  cachedInputTokens: 16,
  cacheWriteTokens: 3,
  outputTokens: 20,
  reasoningTokens: 12,
});

interface Case {
  readonly name: string;
  readonly surface: Surface;
  readonly text: string;
  readonly usage: Usage;
  readonly model: string;
  readonly id: string;
  readonly contentEvents: number;
}

const cached = {
  input_tokens: 10,
  cache_creation_input_tokens: 300,
  cache_read_input_tokens: 4_000,
  output_tokens: 1,
  inference_geo: "us",
};

const cases: readonly Case[] = [
  {
    name: "OpenAI chat",
    surface: "chat.completions",
    text: sse(openaiChat),
    usage: chatRead,
    model: "gpt-served",
    id: "chatcmpl-1",
    contentEvents: 3,
  },
  {
    name: "Azure chat with its empty first event",
    surface: "chat.completions",
    text: sse(azureChat, "\r\n"),
    usage: chatRead,
    model: "gpt-served",
    id: "chatcmpl-1",
    contentEvents: 3,
  },
  {
    name: "chat with usage beside the last choice",
    surface: "chat.completions",
    text: sse(usageBesideChoice),
    usage: usageOf({ inputTokens: 40, cachedInputTokens: 32, outputTokens: 6 }),
    model: "gpt-served",
    id: "chatcmpl-1",
    contentEvents: 3,
  },
  {
    name: "chat that counts along",
    surface: "chat.completions",
    text: sse(countingAlong),
    usage: usageOf({ inputTokens: 5, outputTokens: 2 }),
    model: "gpt-served",
    id: "chatcmpl-1",
    contentEvents: 2,
  },
  {
    name: "completions",
    surface: "completions",
    text: sse(completions),
    usage: usageOf({ inputTokens: 3, outputTokens: 2 }),
    model: "gpt-instruct",
    id: "cmpl-1",
    contentEvents: 2,
  },
  {
    name: "Responses",
    surface: "responses",
    text: namedSse(responses("completed")),
    usage: responsesRead,
    model: "gpt-served",
    id: "resp_1",
    contentEvents: 1,
  },
  {
    name: "Responses without event names",
    surface: "responses",
    text: sse(responses("completed")),
    usage: responsesRead,
    model: "gpt-served",
    id: "resp_1",
    contentEvents: 1,
  },
  {
    name: "Responses that end incomplete",
    surface: "responses",
    text: namedSse(responses("incomplete"), "\r\n"),
    usage: responsesRead,
    model: "gpt-served",
    id: "resp_1",
    contentEvents: 1,
  },
  {
    name: "Anthropic with the cache's parts",
    surface: "messages",
    text: namedSse(
      messages(cached, { input_tokens: 10, cache_creation_input_tokens: 300, cache_read_input_tokens: 4_000, output_tokens: 25 }),
    ),
    usage: usageOf({ inputTokens: 4_310, cachedInputTokens: 4_000, cacheWriteTokens: 300, outputTokens: 25 }),
    model: "claude-served",
    id: "msg_1",
    contentEvents: 3,
  },
  {
    name: "Anthropic whose end repeats the output alone",
    surface: "messages",
    text: namedSse(messages(cached, { output_tokens: 25, input_tokens: null })),
    usage: usageOf({ inputTokens: 4_310, cachedInputTokens: 4_000, cacheWriteTokens: 300, outputTokens: 25 }),
    model: "claude-served",
    id: "msg_1",
    contentEvents: 3,
  },
  {
    name: "Anthropic whose own tools read more than was sent",
    surface: "messages",
    text: namedSse(
      messages(cached, {
        input_tokens: 14,
        cache_creation_input_tokens: 350,
        cache_read_input_tokens: 9_000,
        output_tokens: 25,
        server_tool_use: { web_search_requests: 2 },
        output_tokens_details: { thinking_tokens: 7 },
      }),
    ),
    usage: usageOf({ inputTokens: 9_364, cachedInputTokens: 9_000, cacheWriteTokens: 350, outputTokens: 25, reasoningTokens: 7 }),
    model: "claude-served",
    id: "msg_1",
    contentEvents: 3,
  },
  {
    name: "Anthropic with a compaction, which only its iterations count",
    surface: "messages",
    text: namedSse(
      messages(
        { input_tokens: 60_000, output_tokens: 1 },
        {
          input_tokens: 600,
          output_tokens: 30,
          iterations: [
            { type: "compaction", input_tokens: 60_000, output_tokens: 500 },
            { type: "message", input_tokens: 600, output_tokens: 30 },
          ],
        },
      ),
    ),
    usage: usageOf({ inputTokens: 60_600, outputTokens: 530 }),
    model: "claude-served",
    id: "msg_1",
    contentEvents: 3,
  },
];

describe("what is read from a stream", () => {
  it.each(cases)(
    "$name: usage, model, id and the end are read, wherever the stream is cut",
    ({ surface, text, usage, model, id, contentEvents }) => {
      const bytes = bytesOf(text);
      const check = (pieces: readonly Uint8Array[]): void => {
        const { body, shown } = read(surface, pieces);
        expect(body.reading.usage).toEqual(usage);
        expect(body.reading.usageComplete).toBe(true);
        expect(body.reading.servedModel).toBe(model);
        expect(body.reading.responseId).toBe(id);
        expect(body.reading.contentEvents).toBe(contentEvents);
        expect(body.finished).toBe(true);
        expect(body.refused).toBeUndefined();
        expect(shown).toBe(text);
      };
      check(singleBytes(bytes));
      fc.assert(
        fc.property(cuts, (where) => check(cutAt(bytes, where))),
        { numRuns: 60 },
      );
    },
  );

  it.each(cases)("$name: is not finished, nor its usage whole, before its last event", ({ surface, text }) => {
    const bytes = bytesOf(text);
    const events = text.split(/(?<=\n\n|\r\n\r\n)/);
    const withoutEnd = events.slice(0, surface === "responses" ? -1 : -2).join("");
    const { body } = read(surface, [bytesOf(withoutEnd)]);
    expect(body.finished).toBe(false);
    if (!text.includes('"finish_reason":"stop"}],"usage":{') && surface !== "messages")
      expect(body.reading.usageComplete).toBe(false);
    expect(read(surface, [bytes.slice(0, -3)]).body.finished).toBe(false);
  });

  it("does not take a count along the way for that of the whole answer", () => {
    const { body } = read("chat.completions", [bytesOf(sse(countingAlong.slice(0, 2)))]);
    expect(body.reading.usage.outputTokens).toBe(1);
    expect(body.reading.usageComplete).toBe(false);
  });

  it("hides the usage chunk from a client that did not ask for it, and nothing else", () => {
    const whole = sse(openaiChat);
    fc.assert(
      fc.property(cuts, (where) => {
        const { body, shown } = read("chat.completions", cutAt(bytesOf(whole), where), false);
        expect(shown).toBe(sse(openaiChat.filter((event) => (event as { usage?: unknown }).usage !== chatUsage)));
        expect(body.reading.usage).toEqual(chatRead);
      }),
    );
    expect(read("chat.completions", [bytesOf(sse(usageBesideChoice))], false).shown).toBe(sse(usageBesideChoice));
  });

  it("reads where an Anthropic inference ran", () => {
    expect(read("messages", [bytesOf(namedSse(messages(cached, { output_tokens: 2 })))]).body.reading.inferenceGeo).toBe("us");
    expect(
      read("messages", [bytesOf(namedSse(messages({ input_tokens: 1, output_tokens: 1 }, { output_tokens: 2 })))]).body.reading
        .inferenceGeo,
    ).toBeUndefined();
  });

  it("takes a message that was announced twice for one", () => {
    const [start, ...rest] = messages({ input_tokens: 17, output_tokens: 1 }, { output_tokens: 227 });
    const { body } = read("messages", [bytesOf(namedSse([start as { type: string }, start as { type: string }, ...rest]))]);
    expect(body.reading.usage).toEqual(usageOf({ inputTokens: 17, outputTokens: 227 }));
    expect(body.finished).toBe(true);
  });

  it("keeps an explicit zero and an unreported count apart", () => {
    const zero = sse([
      { id: "x", model: "m", choices: [], usage: { prompt_tokens: 3, completion_tokens: 0, total_tokens: 3 } },
      "[DONE]",
    ]);
    expect(read("chat.completions", [bytesOf(zero)]).body.reading).toMatchObject({
      usage: usageOf({ inputTokens: 3, outputTokens: 0 }),
      usageComplete: true,
    });
    const silent = sse([{ id: "x", model: "m", choices: [], usage: { prompt_tokens: 3 } }, "[DONE]"]);
    expect(read("chat.completions", [bytesOf(silent)]).body.reading).toMatchObject({
      usage: usageOf({ inputTokens: 3 }),
      usageComplete: false,
    });
    for (const odd of [-1, 1.5, "7", 2 ** 60]) {
      const text = sse([{ choices: [], usage: { prompt_tokens: 3, completion_tokens: odd } }]);
      expect(read("chat.completions", [bytesOf(text)]).body.reading.usage.outputTokens).toBeUndefined();
    }
  });

  it("counts reasoning that a server reports beside its output instead of in it", () => {
    const usage = {
      prompt_tokens: 307,
      completion_tokens: 26,
      total_tokens: 560,
      completion_tokens_details: { reasoning_tokens: 227 },
    };
    expect(read("chat.completions", [bytesOf(sse([{ choices: [], usage }]))]).body.reading.usage).toEqual(
      usageOf({ inputTokens: 307, outputTokens: 253, reasoningTokens: 227 }),
    );
  });

  it("reads the end and the usage of a last event too large to hold, image and all", () => {
    const text = namedSse(responses("completed", "A".repeat(5_000)));
    fc.assert(
      fc.property(cuts, (where) => {
        const pieces = cutAt(bytesOf(text), where).flatMap((piece) => cutAt(piece, [0.3, 0.6, 0.9]));
        const { body, shown } = read("responses", pieces, true, 2_048);
        expect(shown).toBe(text);
        expect(body.finished).toBe(true);
        expect(body.reading).toMatchObject({
          usage: responsesRead,
          usageComplete: true,
          responseId: "resp_1",
          servedModel: "gpt-served",
        });
      }),
      { numRuns: 60 },
    );
  });

  it("counts no comment, ping or blank line as output", () => {
    const meter = new StreamMeter("chat.completions", true);
    for (const event of [": waiting\n\n", "\n", "event: ping\n\n"]) meter.observe(bytesOf(event));
    expect(meter.contentEvents).toBe(0);
    meter.observe(bytesOf(sse([openaiChat[1]])));
    for (const event of [": waiting\n\n", "\n"]) meter.observe(bytesOf(event));
    expect(meter.contentEvents).toBe(1);
  });

  it("says nothing more after the end, however long the upstream talks", () => {
    for (const [surface, text] of [
      ["chat.completions", sse(openaiChat)],
      ["messages", namedSse(messages(cached, { output_tokens: 2 }))],
      ["responses", namedSse(responses("completed"))],
    ] as const) {
      const more = bytesOf(
        `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\ndata: ${"x".repeat(3_000)}`,
      );
      const { body, shown } = read(surface, [bytesOf(text), more, more], true, 2_000);
      const before = read(surface, [bytesOf(text)], true, 2_000);
      expect(shown).toBe(text);
      expect(body.reading.usage).toEqual(before.body.reading.usage);
      // Nor in the very chunk that brought the end.
      const together = read(surface, [
        bytesOf(`${text}data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n`),
      ]);
      expect(together.shown).toBe(text);
      expect(together.body.reading.usage).toEqual(before.body.reading.usage);
    }
  });
});

describe("when a stream is committed to", () => {
  const role = sse(openaiChat.slice(0, 1));
  const preludes: readonly (readonly [string, Surface, string, string])[] = [
    ["OpenAI chat", "chat.completions", role, sse(openaiChat.slice(1, 2))],
    ["Azure chat", "chat.completions", sse(azureChat.slice(0, 2)), sse(azureChat.slice(2, 3))],
    ["completions", "completions", sse(completions.slice(0, 1)), sse(completions.slice(1, 2))],
    ["Responses", "responses", namedSse(responses("completed").slice(0, 2)), namedSse(responses("completed").slice(2, 3))],
    [
      "Anthropic",
      "messages",
      namedSse(messages(cached, undefined).slice(0, 3)),
      namedSse(messages(cached, undefined).slice(3, 4)),
    ],
    ["comments", "chat.completions", ": waiting\n\n: still\n\n", sse(openaiChat.slice(1, 2))],
    ["a tool call", "chat.completions", role, sse([{ choices: [{ delta: { tool_calls: [{ index: 0, id: "call_1" }] } }] }])],
    ["a blocked answer", "chat.completions", role, sse([{ choices: [{ delta: {}, finish_reason: "content_filter" }] }])],
  ];

  it.each(preludes)("%s: not on what comes before the content, and on the first content", (_name, surface, prelude, content) => {
    fc.assert(
      fc.property(cuts, (where) => {
        expect(read(surface, cutAt(bytesOf(prelude), where)).body.committed).toBe(false);
        expect(read(surface, cutAt(bytesOf(prelude + content), where)).body.committed).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

describe("an upstream's no inside a stream", () => {
  const created = namedSse(responses("completed").slice(0, 2));
  const refusals: readonly (readonly [string, Surface, string, string, "request" | "capacity" | "failure"])[] = [
    [
      "Azure's busy Responses",
      "responses",
      `event: error\ndata: ${JSON.stringify({ type: "error", error: { type: "too_many_requests", code: "rate_limit_exceeded", message: "m" } })}\n\n`,
      "rate_limit_exceeded",
      "capacity",
    ],
    [
      "a flat error of Responses",
      "responses",
      `${created}event: error\ndata: ${JSON.stringify({ type: "error", code: "server_error", message: "m", param: null })}\n\n`,
      "server_error",
      "failure",
    ],
    ["Responses that fail at once", "responses", created + namedSse(responses("failed").slice(-1)), "server_error", "failure"],
    [
      "a chat chunk with an error",
      "chat.completions",
      sse([openaiChat[0], { error: { message: "m", type: "insufficient_quota", param: null, code: "insufficient_quota" } }]),
      "insufficient_quota",
      "capacity",
    ],
    [
      "a chat error without a code",
      "chat.completions",
      sse([{ error: { message: "m", type: "server_error", param: null, code: null } }]),
      "server_error",
      "failure",
    ],
    [
      "a request found at fault",
      "chat.completions",
      sse([{ error: { message: "m", type: "invalid_request_error", code: "context_length_exceeded" } }]),
      "context_length_exceeded",
      "request",
    ],
    [
      "Anthropic overloaded",
      "messages",
      namedSse([
        ...messages(cached, undefined).slice(0, 2),
        { type: "error", error: { type: "overloaded_error", message: "m" } } as { type: string },
      ]),
      "overloaded_error",
      "capacity",
    ],
  ];

  it.each(refusals)(
    "%s: is found before anything is committed, at any cut, and none of it is shown",
    (_name, surface, text, code, blames) => {
      fc.assert(
        fc.property(cuts, (where) => {
          const { body, shown } = read(surface, cutAt(bytesOf(text), where));
          expect(body.committed).toBe(false);
          expect(body.refused).toMatchObject({ code, blames });
          expect(shown).not.toContain("error");
        }),
        { numRuns: 60 },
      );
    },
  );

  it("is a failure, not a refusal, once content has gone out, and its words are kept from the client", () => {
    const text = sse([
      ...openaiChat.slice(0, 3),
      { error: { message: "host gpu-17 died", type: "server_error", code: null } },
      "[DONE]",
    ]);
    const { body, shown } = read("chat.completions", [bytesOf(text)]);
    expect(body.refused).toBeUndefined();
    expect(body.failed).toMatchObject({ code: "server_error" });
    expect(body.finished).toBe(false);
    expect(shown).toBe(sse(openaiChat.slice(0, 3)));
  });
});

describe("what is read from a document", () => {
  const documents: readonly (readonly [string, unknown, Usage, string | undefined])[] = [
    [
      "chat",
      {
        id: "chatcmpl-1",
        model: "gpt-served",
        choices: [{ message: { content: '"usage":{"prompt_tokens":9}' } }],
        usage: chatUsage,
      },
      chatRead,
      undefined,
    ],
    [
      "embeddings",
      { object: "list", data: [{ embedding: [0.1, -2e-3] }], model: "e", usage: { prompt_tokens: 8, total_tokens: 8 } },
      usageOf({ inputTokens: 8 }),
      undefined,
    ],
    [
      "Responses",
      {
        id: "resp_1",
        model: "m",
        output: [{ id: "x", usage: { input_tokens: 1 } }],
        usage: { input_tokens: 50, output_tokens: 20, total_tokens: 70 },
      },
      usageOf({ inputTokens: 50, outputTokens: 20 }),
      undefined,
    ],
    [
      "Anthropic",
      {
        id: "msg_1",
        type: "message",
        model: "c",
        content: [],
        usage: { input_tokens: 4, cache_read_input_tokens: 6, output_tokens: 3, inference_geo: "us" },
      },
      usageOf({ inputTokens: 10, cachedInputTokens: 6, outputTokens: 3 }),
      "us",
    ],
    ["one without usage", { input_tokens: 12 }, usageOf({}), undefined],
  ];

  it.each(documents)("%s: usage and place are read, wherever it is cut", (_name, document, usage, inferenceGeo) => {
    const text = JSON.stringify(document);
    fc.assert(
      fc.property(cuts, (where) => {
        const body = new DocumentBody();
        const shown: Uint8Array[] = [];
        for (const piece of cutAt(bytesOf(text), where)) body.push(piece, (bytes) => shown.push(bytes));
        expect(body.finished).toBe(true);
        expect(body.reading.usage).toEqual(usage);
        expect(body.reading.inferenceGeo).toBe(inferenceGeo);
        expect(new TextDecoder().decode(joined(shown))).toBe(text);
      }),
      { numRuns: 40 },
    );
  });

  it("is whole for embeddings, which have no output to report", () => {
    const body = new DocumentBody();
    body.push(bytesOf('{"data":[],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}'), () => {});
    expect(body.reading.usageComplete).toBe(true);
  });
});
