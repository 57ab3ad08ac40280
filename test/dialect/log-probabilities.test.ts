import { describe, expect, test } from "vitest";
import type { ModelRequest } from "../../src/dialect/model-request.ts";
import { readModelRequest } from "../../src/dialect/read-request.ts";
import type { Surface } from "../../src/region/catalogue.ts";

function read(surface: Surface, more: Record<string, unknown>): ModelRequest {
  const content =
    surface === "responses"
      ? { input: "x" }
      : surface === "completions"
        ? { prompt: "x" }
        : { messages: [{ role: "user", content: "x" }] };
  const bytes = new TextEncoder().encode(JSON.stringify({ model: "m", ...content, ...more }));
  const request = readModelRequest(surface, bytes, undefined);
  if (!request.ok) throw new Error(request.refusal.kind);
  return request.value;
}

function sent(request: ModelRequest): Record<string, unknown> {
  return JSON.parse(new TextDecoder().decode(request.bodyFor("m", true))) as Record<string, unknown>;
}

describe("log probabilities", () => {
  test.each<[Surface, Record<string, unknown>, Record<string, unknown>]>([
    ["chat.completions", { logprobs: true, top_logprobs: 5, n: 2 }, { logprobs: null, top_logprobs: null, n: 2 }],
    ["completions", { logprobs: 0 }, { logprobs: null }],
    ["responses", { top_logprobs: 3 }, { top_logprobs: null }],
    [
      "responses",
      { include: ["message.output_text.logprobs", "reasoning.encrypted_content"] },
      { include: ["reasoning.encrypted_content"] },
    ],
  ])("of %s asked for by %j can be left out of the body, and nothing else is", (surface, more, without) => {
    const request = read(surface, more);
    expect(request.logProbabilities).toBe(true);
    expect(sent(request)).toMatchObject(without);
    expect(read(surface, without).logProbabilities).toBe(false);
    const untouched = JSON.parse(new TextDecoder().decode(request.bodyFor("m"))) as unknown;
    expect(untouched).toMatchObject(more);
  });

  test.each([{}, { logprobs: false }, { logprobs: null, top_logprobs: 0 }])(
    "are not asked for by %j, and the bytes stay",
    (more) => {
      const request = read("chat.completions", more);
      expect(request.logProbabilities).toBe(false);
      expect(request.bodyFor("m", true)).toEqual(request.bodyFor("m"));
    },
  );
});

describe("tools that the upstream runs itself", () => {
  test.each<[Surface, Record<string, unknown>, readonly string[]]>([
    [
      "responses",
      { tools: [{ type: "web_search_preview" }, { type: "mcp", server_url: "https://x.test" }] },
      ["mcp", "web_search"],
    ],
    ["responses", { tools: [{ type: "code_interpreter", container: { type: "auto" } }] }, ["code_execution"]],
    ["responses", { tools: [{ type: "some_new_tool" }] }, ["other"]],
    ["messages", { max_tokens: 1, tools: [{ type: "web_fetch_20250910", name: "web_fetch" }] }, ["web_fetch"]],
    ["messages", { max_tokens: 1, mcp_servers: [{ type: "url", url: "https://x.test" }] }, ["mcp"]],
    ["chat.completions", { web_search_options: {} }, ["web_search"]],
    ["chat.completions", { tools: [{ type: "function", function: { name: "mcp" } }] }, []],
    ["messages", { max_tokens: 1, tools: [{ type: "bash_20250124", name: "bash" }] }, []],
  ])("are named, of %s with %j", (surface, more, tools) => {
    expect(read(surface, more).hostedTools).toEqual(tools);
  });
});
