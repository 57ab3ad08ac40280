import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ModelRequest } from "../../src/dialect/model-request.ts";
import { readModelRequest } from "../../src/dialect/read-request.ts";
import { surfaces, type Surface } from "../../src/region/catalogue.ts";
import type { Refusal } from "../../src/refusal.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const least: Readonly<Record<Surface, Readonly<Record<string, unknown>>>> = {
  "chat.completions": { model: "m", messages: [{ role: "user", content: "Hello" }] },
  completions: { model: "m", prompt: "Hello" },
  embeddings: { model: "m", input: "Hello" },
  responses: { model: "m", input: "Hello" },
  messages: { model: "m", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] },
  count_tokens: { model: "m", messages: [{ role: "user", content: "Hello" }] },
};

function bytesOf(body: unknown): Uint8Array {
  return encoder.encode(typeof body === "string" ? body : JSON.stringify(body));
}

function read(surface: Surface, more: Readonly<Record<string, unknown>> = {}, modelFromPath?: string): ModelRequest {
  const request = readModelRequest(surface, bytesOf({ ...least[surface], ...more }), modelFromPath);
  if (!request.ok) throw new Error(`refused: ${JSON.stringify(request.refusal)}`);
  return request.value;
}

function refusalOf(surface: Surface, body: unknown): Refusal | undefined {
  const request = readModelRequest(surface, bytesOf(body), undefined);
  return request.ok ? undefined : request.refusal;
}

function refusalWith(surface: Surface, more: Readonly<Record<string, unknown>>): Refusal | undefined {
  return refusalOf(surface, { ...least[surface], ...more });
}

const user = (...content: unknown[]): Record<string, unknown> => ({ messages: [{ role: "user", content }] });

describe("what every surface needs", () => {
  test.each(surfaces)("%s is read from its least body, and sent on as the very same bytes", (surface) => {
    const bytes = bytesOf(least[surface]);
    const request = readModelRequest(surface, bytes, undefined);
    if (!request.ok) throw new Error("refused");
    expect(request.value).toMatchObject({
      surface,
      model: "m",
      stream: false,
      choices: 1,
      previousResponseId: undefined,
      endUser: undefined,
      extractsWeights: false,
    });
    expect(request.value.bodyFor("m")).toBe(bytes);
  });

  test.each(surfaces.flatMap((surface) => Object.keys(least[surface]).map((param) => [surface, param] as const)))(
    "%s without %s is refused and says so",
    (surface, param) => {
      const { [param]: _left, ...rest } = least[surface];
      expect(refusalOf(surface, rest)).toEqual({ kind: "missing_field", param });
      expect(refusalOf(surface, { ...rest, [param]: null })).toEqual({ kind: "missing_field", param });
    },
  );

  test.each(surfaces.flatMap((surface) => [1, "", true, {}, "x".repeat(257)].map((model) => [surface, model] as const)))(
    "%s with the model %j is refused",
    (surface, model) => {
      expect(refusalWith(surface, { model })).toMatchObject({ kind: "invalid_field", param: "model" });
    },
  );

  test.each(surfaces)("%s passes unknown fields on untouched", (surface) => {
    const body = `{"future":{"x":12345678901234567890}, ${JSON.stringify(least[surface]).slice(1, -1)} ,"service_tier":"flex","store":true}`;
    const request = readModelRequest(surface, bytesOf(body), undefined);
    if (!request.ok) throw new Error("refused");
    expect(decoder.decode(request.value.bodyFor("other"))).toBe(body.replace('"m"', '"other"'));
  });

  test("a field whose name differs from a known one by case alone is refused, for an upstream may read it as that one", () => {
    expect(refusalWith("chat.completions", { Max_Tokens: 5 })).toMatchObject({ kind: "unsupported_field", param: "Max_Tokens" });
    expect(refusalWith("chat.completions", { Model: "x" })).toMatchObject({ kind: "unsupported_field", param: "Model" });
    expect(refusalWith("chat.completions", { Something: 5 })).toBeUndefined();
  });

  test("a body that is no object is refused", () => {
    for (const surface of surfaces) expect(refusalOf(surface, "[]")).toMatchObject({ kind: "invalid_json" });
  });
});

describe("ceilings", () => {
  const wrong = [-1, 1.5, 1_000_000_001, 1e300, "5", true, [5], {}];
  const fields: readonly (readonly [Surface, string])[] = [
    ["chat.completions", "max_tokens"],
    ["chat.completions", "max_completion_tokens"],
    ["completions", "max_tokens"],
    ["responses", "max_output_tokens"],
    ["messages", "max_tokens"],
  ];

  test.each(fields.flatMap(([surface, param]) => wrong.map((value) => [surface, param, value] as const)))(
    "%s refuses %s of %j",
    (surface, param, value) => {
      expect(refusalWith(surface, { [param]: value })).toMatchObject({ kind: "invalid_field", param });
    },
  );

  test.each(fields)("%s reads %s up to a thousand million", (surface, param) => {
    expect(read(surface, { [param]: 1 }).maxOutputTokens).toBe(1);
    expect(read(surface, { [param]: 1_000_000_000 }).maxOutputTokens).toBe(1_000_000_000);
  });

  test("no ceiling at all is not the same as a ceiling of nothing", () => {
    for (const surface of ["chat.completions", "completions", "responses"] as const)
      expect(read(surface).maxOutputTokens).toBeUndefined();
    for (const surface of ["chat.completions", "completions", "responses"] as const)
      expect(read(surface, { max_tokens: null }).maxOutputTokens).toBeUndefined();
    for (const surface of ["embeddings", "count_tokens"] as const) expect(read(surface).maxOutputTokens).toBe(0);
    expect(read("messages", { max_tokens: 0 }).maxOutputTokens).toBe(0);
    expect(refusalWith("chat.completions", { max_tokens: 0 })).toMatchObject({ kind: "invalid_field", param: "max_tokens" });
  });

  test("of max_tokens and max_completion_tokens the larger counts", () => {
    expect(read("chat.completions", { max_tokens: 5, max_completion_tokens: 9 }).maxOutputTokens).toBe(9);
    expect(read("chat.completions", { max_tokens: 9, max_completion_tokens: 5 }).maxOutputTokens).toBe(9);
    expect(read("chat.completions", { max_tokens: null, max_completion_tokens: 5 }).maxOutputTokens).toBe(5);
  });

  test("the choices are the larger of n and best_of, for every prompt of a batch", () => {
    expect(read("chat.completions", { n: 3 }).choices).toBe(3);
    expect(read("completions", { n: 2, best_of: 5, prompt: ["a", "b", "c"] }).choices).toBe(15);
    expect(read("completions", { prompt: [1, 2, 3] }).choices).toBe(1);
    expect(read("completions", { prompt: [[1], [2, 3]] }).choices).toBe(2);
    for (const n of [0, 129, 1.5, "1"])
      expect(refusalWith("chat.completions", { n })).toMatchObject({ kind: "invalid_field", param: "n" });
    expect(refusalWith("completions", { best_of: 129 })).toMatchObject({ kind: "invalid_field", param: "best_of" });
  });

  test("a list of prompts is of one kind, not empty and not endless", () => {
    const lists = [
      [],
      [""].concat(Array(2_048).fill("x") as string[]),
      ["a", 1],
      [1, "a"],
      [[1], "a"],
      [[1], []],
      [1.5],
      [-1],
      [[["a"]]],
      {},
      5,
      true,
    ];
    for (const list of lists) {
      expect(refusalWith("embeddings", { input: list })).toMatchObject({ kind: "invalid_field", param: "input" });
      expect(refusalWith("completions", { prompt: list })).toMatchObject({ kind: "invalid_field", param: "prompt" });
    }
    expect(refusalWith("embeddings", { input: Array(2_048).fill("x") })).toBeUndefined();
  });
});

describe("streams", () => {
  test("a stream of chat or completions is asked for its usage, and the client's wish is remembered", () => {
    for (const surface of ["chat.completions", "completions"] as const) {
      const request = read(surface, { stream: true });
      expect(request).toMatchObject({ stream: true, includeUsage: false });
      expect(JSON.parse(decoder.decode(request.bodyFor("m")))).toEqual({
        ...least[surface],
        stream: true,
        stream_options: { include_usage: true },
      });
    }
  });

  test("other stream options are kept beside the one that is set", () => {
    const request = read("chat.completions", {
      stream: true,
      stream_options: { include_obfuscation: false, include_usage: false },
    });
    expect(JSON.parse(decoder.decode(request.bodyFor("m")))).toMatchObject({
      stream_options: { include_obfuscation: false, include_usage: true },
    });
    const none = read("chat.completions", { stream: true, stream_options: null });
    expect(JSON.parse(decoder.decode(none.bodyFor("m")))).toMatchObject({ stream_options: { include_usage: true } });
  });

  test("a client that asked for its usage itself gets its own bytes", () => {
    const bytes = bytesOf({ ...least["chat.completions"], stream: true, stream_options: { include_usage: true } });
    const request = readModelRequest("chat.completions", bytes, undefined);
    if (!request.ok) throw new Error("refused");
    expect(request.value.includeUsage).toBe(true);
    expect(request.value.bodyFor("m")).toBe(bytes);
  });

  test("streams of responses and messages carry their usage anyway and are left alone", () => {
    for (const surface of ["responses", "messages"] as const) {
      const bytes = bytesOf({ ...least[surface], stream: true });
      const request = readModelRequest(surface, bytes, undefined);
      if (!request.ok) throw new Error("refused");
      expect(request.value).toMatchObject({ stream: true, includeUsage: true });
      expect(request.value.bodyFor("m")).toBe(bytes);
    }
  });

  test("what is no flag and no object is refused", () => {
    expect(refusalWith("chat.completions", { stream: "true" })).toMatchObject({ kind: "invalid_field", param: "stream" });
    expect(refusalWith("chat.completions", { stream: 1 })).toMatchObject({ kind: "invalid_field", param: "stream" });
    expect(refusalWith("chat.completions", { stream_options: [] })).toMatchObject({
      kind: "invalid_field",
      param: "stream_options",
    });
    expect(refusalWith("chat.completions", { stream: true, stream_options: { include_usage: "yes" } })).toMatchObject({
      param: "stream_options.include_usage",
    });
  });
});

describe("the model's name", () => {
  test("a name in the path wins over the body's, and the upstream's name replaces either", () => {
    const request = read("chat.completions", {}, "deployment");
    expect(request.model).toBe("deployment");
    expect(JSON.parse(decoder.decode(request.bodyFor("upstream")))).toEqual({ ...least["chat.completions"], model: "upstream" });
  });

  test("a body without a model gets the upstream's name, where the path names the deployment", () => {
    const request = readModelRequest("embeddings", bytesOf('{"input":"x"}'), "deployment");
    if (!request.ok) throw new Error("refused");
    expect(decoder.decode(request.value.bodyFor("upstream"))).toBe('{"input":"x","model":"upstream"}');
  });

  test("a name is written as JSON, whatever is in it", () => {
    expect(JSON.parse(decoder.decode(read("embeddings").bodyFor('a"\\\n')))).toEqual({ model: 'a"\\\n', input: "Hello" });
  });
});

describe("the prompt's measure", () => {
  test("every byte of the body counts as ASCII or not, but for the data of images", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.nat(500), (text, size) => {
        const image = `data:image/png;base64,${"A".repeat(size)}`;
        const body = { model: "m", ...user({ type: "text", text }, { type: "image_url", image_url: { url: image } }) };
        const bytes = bytesOf(body);
        const request = readModelRequest("chat.completions", bytes, undefined);
        if (!request.ok) throw new Error("refused");
        const { asciiBytes, otherBytes, images } = request.value.prompt;
        expect(otherBytes).toBe(bytes.filter((byte) => byte > 127).length);
        expect(asciiBytes).toBe(bytes.length - otherBytes - image.length);
        expect(images).toBe(1);
      }),
    );
  });

  test("images are found in every dialect, in tool results and outputs as well", () => {
    const openai = [
      { type: "image_url", image_url: { url: "https://example.com/a.png" } },
      { type: "text", text: "x" },
      { type: "image_url", image_url: { url: "data:image/png;base64,AA" } },
    ];
    expect(read("chat.completions", user(...openai)).prompt.images).toBe(2);
    const items = [
      { role: "user", content: [{ type: "input_image", image_url: "https://example.com/a.png" }] },
      { type: "function_call_output", call_id: "c", output: [{ type: "input_image", image_url: "data:image/png;base64,AA" }] },
      {
        type: "computer_call_output",
        call_id: "c",
        output: { type: "computer_screenshot", image_url: "data:image/png;base64,AA" },
      },
    ];
    expect(read("responses", { input: items }).prompt.images).toBe(3);
    const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } };
    const blocks = [
      image,
      { type: "tool_result", tool_use_id: "t", content: [image] },
      { type: "document", source: { type: "content", content: [image] } },
    ];
    expect(read("messages", user(...blocks)).prompt.images).toBe(3);
    expect(read("count_tokens", user(...blocks)).prompt.images).toBe(3);
  });

  test("what a model or a tool wrote is text, even if it looks like an image", () => {
    const like = { type: "image", source: { type: "base64", data: "A".repeat(1_000) } };
    const request = read("messages", {
      messages: [{ role: "assistant", content: [{ type: "tool_use", id: "t", name: "n", input: like }] }],
    });
    expect(request.prompt.images).toBe(0);
    expect(request.prompt.asciiBytes).toBeGreaterThan(1_000);
  });

  test("a prompt given as tokens counts at least one byte for each, however it is written", () => {
    expect(read("embeddings", { input: [1, 22, 333] }).prompt.otherBytes).toBe(3);
    expect(read("completions", { prompt: [[1, 2], [3]] }).prompt.otherBytes).toBe(3);
    const spaced = readModelRequest("embeddings", bytesOf('{"model":"m","input":[ 1e2 , 5 ]}'), undefined);
    expect(spaced.ok && spaced.value.prompt).toMatchObject({ otherBytes: 2, asciiBytes: '{"model":"m","input":}'.length });
  });

  test.each<[string, Surface, Record<string, unknown>]>([
    ["a stored answer", "responses", { previous_response_id: "resp_1" }],
    ["a tool that the upstream runs", "responses", { tools: [{ type: "web_search" }] }],
    ["a server tool", "messages", { tools: [{ type: "web_search_20250305", name: "web_search" }] }],
    ["an MCP server", "messages", { mcp_servers: [{ type: "url", url: "https://example.com" }] }],
    ["web search", "chat.completions", { web_search_options: {} }],
    ["a document elsewhere", "messages", user({ type: "document", source: { type: "url", url: "https://example.com/a.pdf" } })],
    [
      "a file elsewhere",
      "responses",
      { input: [{ role: "user", content: [{ type: "input_file", file_url: "https://example.com/a.pdf" }] }] },
    ],
  ])("%s leaves the input unbounded", (_what, surface, more) => {
    expect(read(surface, more).prompt.unbounded).toBe(true);
  });

  test("a client's own tools leave it bounded", () => {
    expect(read("chat.completions", { tools: [{ type: "function", function: { name: "f" } }] }).prompt.unbounded).toBe(false);
    expect(
      read("messages", {
        tools: [
          { name: "f", input_schema: {} },
          { type: "bash_20250124", name: "bash" },
        ],
      }).prompt.unbounded,
    ).toBe(false);
  });
});

describe("what is refused because it could not be kept to a limit or a country", () => {
  test.each<[Surface, string, Record<string, unknown>]>([
    ["responses", "background", { background: true }],
    ["responses", "conversation", { conversation: "conv_1" }],
    ["responses", "conversation", { conversation: { id: "conv_1" } }],
    ["responses", "prompt", { prompt: { id: "pmpt_1" } }],
    ["responses", "input", { input: [{ type: "item_reference", id: "rs_1" }] }],
    ["responses", "input", { input: [{ role: "user", content: [{ type: "input_image", file_id: "file-1" }] }] }],
    ["responses", "input", { input: [{ role: "user", content: [{ type: "input_file", file_id: "file-1" }] }] }],
    ["responses", "tools", { tools: [{ type: "file_search", vector_store_ids: ["vs_1"] }] }],
    ["responses", "tools", { tools: [{ type: "code_interpreter", container: "cntr_1" }] }],
    ["responses", "tools", { tools: [{ type: "image_generation", model: "gpt-image-2" }] }],
    ["responses", "tools", { tools: [{ type: "image_generation" }] }],
    ["responses", "tools", { tools: [{ type: "code_interpreter", Model: "gpt-image-2" }] }],
    ["chat.completions", "data_sources", { data_sources: [{ type: "azure_search", parameters: {} }] }],
    ["chat.completions", "messages", user({ type: "file", file: { file_id: "file-1" } })],
    ["messages", "inference_geo", { inference_geo: "global" }],
    ["messages", "fallbacks", { fallbacks: [{ model: "other" }] }],
    ["messages", "container", { container: "c_1" }],
    ["messages", "messages", user({ type: "image", source: { type: "file", file_id: "file_1" } })],
    ["messages", "messages", user({ type: "document", source: { type: "file", file_id: "file_1" } })],
    ["messages", "messages", user({ type: "container_upload", file_id: "file_1" })],
    ["count_tokens", "inference_geo", { inference_geo: "us" }],
  ])("%s with %s kept or set elsewhere", (surface, param, more) => {
    expect(refusalWith(surface, more)).toMatchObject({ kind: "unsupported_field", param });
  });

  test("background work that is not asked for is no reason", () => {
    expect(refusalWith("responses", { background: false, conversation: null, prompt: null })).toBeUndefined();
    expect(refusalWith("messages", { inference_geo: null, fallbacks: null, container: null })).toBeUndefined();
    expect(refusalWith("responses", { tools: [{ type: "code_interpreter", container: { type: "auto" } }] })).toBeUndefined();
  });

  test.each<[Record<string, unknown>, boolean]>([
    [{ logit_bias: { "1": 5 }, logprobs: true }, true],
    [{ logit_bias: { "1": 5 }, top_logprobs: 3 }, true],
    [{ logit_bias: { "1": 5 }, logprobs: 0 }, true],
    [{ logit_bias: { "1": 5 } }, false],
    [{ logit_bias: {}, logprobs: true }, false],
    [{ logit_bias: null, logprobs: true }, false],
    [{ logit_bias: { "1": 5 }, logprobs: false, top_logprobs: null }, false],
    [{ logprobs: true, top_logprobs: 5 }, false],
  ])("%j extracts weights: %s", (more, extracts) => {
    expect(read("chat.completions", more).extractsWeights).toBe(extracts);
    expect(read("completions", more).extractsWeights).toBe(extracts);
  });
});

describe("who and what is named", () => {
  test("the end user is read where each API has it", () => {
    expect(read("chat.completions", { user: "u" }).endUser).toBe("u");
    expect(read("chat.completions", { user: "u", safety_identifier: "s" }).endUser).toBe("s");
    expect(read("embeddings", { user: "u" }).endUser).toBe("u");
    expect(read("responses", { safety_identifier: "s" }).endUser).toBe("s");
    expect(read("messages", { metadata: { user_id: "a" } }).endUser).toBe("a");
    expect(read("messages", { metadata: { user_id: null } }).endUser).toBeUndefined();
    expect(refusalWith("messages", { metadata: { user_id: 5 } })).toMatchObject({ param: "metadata.user_id" });
    expect(refusalWith("chat.completions", { user: 5 })).toMatchObject({ param: "user" });
  });

  test("a previous response is named in responses alone, and makes further input optional", () => {
    expect(read("responses", { previous_response_id: "resp_1" }).previousResponseId).toBe("resp_1");
    expect(refusalOf("responses", { model: "m", previous_response_id: "resp_1" })).toBeUndefined();
    expect(refusalWith("responses", { previous_response_id: 5 })).toMatchObject({ param: "previous_response_id" });
    expect(read("chat.completions", { previous_response_id: "resp_1" }).previousResponseId).toBeUndefined();
  });

  test("messages are objects in a list that is not empty", () => {
    for (const messages of [[], ["x"], [null], "x", {}, 5])
      expect(refusalWith("chat.completions", { messages })).toMatchObject({ kind: "invalid_field", param: "messages" });
    for (const input of [5, {}, true])
      expect(refusalWith("responses", { input })).toMatchObject({ kind: "invalid_field", param: "input" });
  });
});

test("no body makes the reader throw, and none is read without a model", () => {
  const names = fc.constantFrom(
    "model",
    "messages",
    "input",
    "prompt",
    "stream",
    "stream_options",
    "max_tokens",
    "n",
    "tools",
    "metadata",
    "logit_bias",
    "system",
    "content",
    "type",
    "source",
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom("m", "image", "document", "base64", 1, 0, -1, true, null),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(names, tie("any"), { maxKeys: 4 }),
    ),
  })).any;
  fc.assert(
    fc.property(fc.constantFrom(...surfaces), fc.dictionary(names, value), (surface, body) => {
      const request = readModelRequest(surface, bytesOf(body), undefined);
      const read = request.ok ? request.value.model === body["model"] : request.refusal.kind.endsWith("_field");
      expect(read).toBe(true);
    }),
    { numRuns: 500 },
  );
});
