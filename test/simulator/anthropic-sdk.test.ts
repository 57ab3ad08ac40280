import Anthropic from "@anthropic-ai/sdk";
import { describe, expect, it } from "vitest";
import { tokensOf } from "../../src/simulator/tokens.ts";
import { running } from "./running.ts";

const model = "claude-simulated";
const messages: Anthropic.MessageParam[] = [{ role: "user", content: "hello" }];
const weather: Anthropic.Tool = {
  name: "get_weather",
  input_schema: { type: "object", properties: { city: { type: "string" }, days: { type: "integer" } } },
};

async function client(apiKey: string = "the-right-key"): Promise<Anthropic> {
  const { url } = await running();
  return new Anthropic({ baseURL: `${url}/anthropic-us`, apiKey, maxRetries: 0 });
}

describe("the Anthropic SDK against a simulated region", () => {
  it("gets an answer with usage and the place of inference", async () => {
    const anthropic = await client();
    const { data, response } = await anthropic.messages.create({ model, max_tokens: 500, messages }).withResponse();
    const [block] = data.content;
    const text = block?.type === "text" ? block.text : "";
    expect(text).toMatch(/^Simulated answer from Anthropic US \(US\)/);
    expect(data.stop_reason).toBe("end_turn");
    expect(data.usage).toMatchObject({ input_tokens: 2, output_tokens: tokensOf(text), inference_geo: "us" });
    expect(response.headers.get("request-id")).toMatch(/^req_/);
    expect(response.headers.get("anthropic-ratelimit-tokens-reset")).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  it("streams the same events as Anthropic, with cumulative usage", async () => {
    const anthropic = await client();
    const stream = await anthropic.messages.create({ model, max_tokens: 500, messages, stream: true });
    const events = [];
    for await (const event of stream) events.push(event);
    const withoutRepeats = events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1]);
    expect(withoutRepeats).toEqual([
      "message_start",
      "content_block_start",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    const start = events.find((event) => event.type === "message_start");
    const delta = events.find((event) => event.type === "message_delta");
    expect(start?.message.usage).toMatchObject({ input_tokens: 2, output_tokens: 1, inference_geo: "us" });
    expect(delta?.usage.output_tokens).toBeGreaterThan(10);
    expect(delta?.delta.stop_reason).toBe("end_turn");
  });

  it("sends a ping in its streams", async () => {
    const { url } = await running();
    const response = await fetch(`${url}/anthropic-us/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": "the-right-key", "anthropic-version": "2023-06-01" },
      body: JSON.stringify({ model, max_tokens: 5, messages, stream: true }),
    });
    expect(await response.text()).toContain('event: ping\ndata: {"type":"ping"}\n\n');
  });

  it("stops at the ceiling and at a stop sequence, and says which", async () => {
    const anthropic = await client();
    const cut = await anthropic.messages.create({ model, max_tokens: 4, messages });
    expect(cut).toMatchObject({
      stop_reason: "max_tokens",
      content: [{ text: "Simulated answer" }],
      usage: { output_tokens: 4 },
    });
    const stopped = await anthropic.messages.create({ model, max_tokens: 400, messages, stop_sequences: [" from"] });
    expect(stopped).toMatchObject({
      stop_reason: "stop_sequence",
      stop_sequence: " from",
      content: [{ text: "Simulated answer" }],
    });
  });

  it("calls tools, whole and streamed", async () => {
    const anthropic = await client();
    const request = { model, max_tokens: 400, messages, tools: [weather], tool_choice: { type: "any" as const } };
    const input = { city: "simulated by Anthropic US", days: 1 };
    const whole = await anthropic.messages.create(request);
    expect(whole).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use", name: "get_weather", input }] });
    const streamed = await anthropic.messages.stream(request).finalMessage();
    expect(streamed).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use", name: "get_weather", input }] });
    expect(streamed.usage.output_tokens).toBe(whole.usage.output_tokens);
  });

  it("writes a marked prompt to its cache and reads it from there the second time", async () => {
    const anthropic = await client();
    const request: Anthropic.MessageCreateParamsNonStreaming = {
      model,
      max_tokens: 10,
      system: [{ type: "text", text: "You are terse. ".repeat(8), cache_control: { type: "ephemeral" } }],
      messages,
    };
    const [first, second] = [await anthropic.messages.create(request), await anthropic.messages.create(request)];
    expect(first.usage).toMatchObject({ input_tokens: 0, cache_creation_input_tokens: 32, cache_read_input_tokens: 0 });
    expect(second.usage).toMatchObject({ input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 32 });
  });

  it("counts tokens as it charges them", async () => {
    const anthropic = await client();
    const request = { model, messages, system: "Be brief, please." };
    const counted = await anthropic.messages.countTokens(request);
    const charged = await anthropic.messages.create({ ...request, max_tokens: 5 });
    expect(counted.input_tokens).toBe(charged.usage.input_tokens);
  });

  it("raises the SDK's own errors, with the request's id", async () => {
    const anthropic = await client();
    await expect(anthropic.messages.create({ model: "claude-9", max_tokens: 5, messages })).rejects.toMatchObject({
      status: 404,
      error: { type: "error", error: { type: "not_found_error", message: "model: claude-9" } },
      requestID: expect.stringMatching(/^req_/) as unknown,
    });
    const stranger = await client("a-wrong-key");
    await expect(stranger.messages.create({ model, max_tokens: 5, messages })).rejects.toBeInstanceOf(
      Anthropic.AuthenticationError,
    );
  });

  it("demands a version and a ceiling", async () => {
    const { url } = await running();
    const post = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${url}/anthropic-us/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": "the-right-key", ...headers },
        body: JSON.stringify({ model, messages }),
      });
    const unversioned = await post({});
    expect(unversioned.status).toBe(400);
    expect(await unversioned.json()).toMatchObject({ error: { message: "anthropic-version: header is required" } });
    expect(await (await post({ "anthropic-version": "2023-06-01" })).json()).toMatchObject({
      error: { type: "invalid_request_error", message: "max_tokens: Field required" },
    });
  });
});
