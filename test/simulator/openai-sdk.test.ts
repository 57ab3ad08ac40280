import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { tokensOf } from "../../src/simulator/tokens.ts";
import { running } from "./running.ts";

const weather: OpenAI.ChatCompletionFunctionTool = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" }, unit: { enum: ["celsius", "kelvin"] } },
      required: ["city"],
    },
  },
};

const hello: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "hello" }];

async function client(regionId: string = "openai-eu"): Promise<OpenAI> {
  const { url } = await running();
  return new OpenAI({ baseURL: `${url}/${regionId}/v1`, apiKey: "any", maxRetries: 0 });
}

describe("the OpenAI SDK against a simulated region: chat completions", () => {
  it("gets an answer that says that it is simulated and repeats nothing of the prompt but its length", async () => {
    const secret = "the merger closes on Friday";
    const openai = await client();
    const { data, response } = await openai.chat.completions
      .create({ model: "gpt-4.1", messages: [{ role: "user", content: secret }] })
      .withResponse();
    const text = data.choices[0]?.message.content ?? "";
    expect(text).toMatch(/^Simulated answer from OpenAI EU \(IE\)/);
    expect(text).toContain("gpt-4.1");
    expect(text).toContain("openai-eu");
    expect(text).toContain("27 bytes");
    expect(JSON.stringify(data)).not.toContain("merger");
    expect(data.system_fingerprint).toBe("fp_simulated");
    expect(response.headers.get("x-strait-simulated")).toBe("openai-eu");
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  });

  it("counts a token for every four bytes", async () => {
    const openai = await client();
    const answer = await openai.chat.completions.create({ model: "gpt-4.1", messages: [{ role: "user", content: "12345678é" }] });
    const output = tokensOf(answer.choices[0]?.message.content ?? "");
    expect(answer.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: output, total_tokens: 3 + output });
  });

  it("streams the same text that it answers whole", async () => {
    const openai = await client();
    const whole = await openai.chat.completions.create({ model: "gpt-4.1", messages: hello });
    const stream = await openai.chat.completions.create({ model: "gpt-4.1", messages: hello, stream: true });
    let text = "";
    let finish: string | null = null;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      finish = chunk.choices[0]?.finish_reason ?? finish;
      expect(chunk).not.toHaveProperty("usage");
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(finish).toBe("stop");
  });

  it("sends usage in a last chunk without choices only when asked, and null before it", async () => {
    const openai = await client();
    const stream = await openai.chat.completions.create({
      model: "gpt-4.1",
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const last = chunks.pop();
    expect(last?.choices).toEqual([]);
    expect(last?.usage?.prompt_tokens).toBe(2);
    expect(chunks.length).toBeGreaterThan(10);
    for (const chunk of chunks) expect(chunk.usage).toBeNull();
  });

  it("gives n choices that differ, and counts all of them", async () => {
    const openai = await client();
    const answer = await openai.chat.completions.create({ model: "gpt-4.1", messages: hello, n: 3 });
    const texts = answer.choices.map((choice) => choice.message.content ?? "");
    expect(new Set(texts).size).toBe(3);
    expect(answer.usage?.completion_tokens).toBe(texts.reduce((sum, text) => sum + tokensOf(text), 0));
  });

  it("stops at the client's ceiling and says so", async () => {
    const openai = await client();
    const answer = await openai.chat.completions.create({ model: "gpt-4.1", messages: hello, max_completion_tokens: 5 });
    expect(answer.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "Simulated answer fro" } });
    expect(answer.usage?.completion_tokens).toBe(5);
  });

  it("stops before a stop sequence", async () => {
    const openai = await client();
    const answer = await openai.chat.completions.create({ model: "gpt-4.1", messages: hello, stop: [" from"] });
    expect(answer.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "Simulated answer" } });
  });

  it("calls a tool that is demanded, with arguments that follow its schema", async () => {
    const openai = await client();
    const answer = await openai.chat.completions.create({
      model: "gpt-4.1",
      messages: hello,
      tools: [weather],
      tool_choice: "required",
    });
    const [call] = answer.choices[0]?.message.tool_calls ?? [];
    expect(answer.choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { content: null } });
    expect(call).toMatchObject({ type: "function", function: { name: "get_weather" } });
    expect(JSON.parse(call?.type === "function" ? call.function.arguments : "")).toEqual({
      city: "simulated by OpenAI EU",
      days: 1,
      unit: "celsius",
    });
  });

  it("streams a tool call in deltas that add up to the call", async () => {
    const openai = await client();
    const runner = openai.chat.completions.stream({
      model: "gpt-4.1",
      messages: [{ role: "user", content: "please use get_weather" }],
      tools: [weather],
    });
    let deltas = 0;
    runner.on("chunk", (chunk) => void (deltas += chunk.choices[0]?.delta.tool_calls?.length ?? 0));
    const final = await runner.finalChatCompletion();
    const [call] = final.choices[0]?.message.tool_calls ?? [];
    expect(deltas).toBeGreaterThan(3);
    expect(JSON.parse(call?.type === "function" ? call.function.arguments : "")).toMatchObject({ unit: "celsius" });
  });

  it("answers with text where tools are neither demanded nor named, and after a tool's result", async () => {
    const openai = await client();
    const unnamed = await openai.chat.completions.create({ model: "gpt-4.1", messages: hello, tools: [weather] });
    const after = await openai.chat.completions.create({
      model: "gpt-4.1",
      tools: [weather],
      messages: [{ role: "tool", tool_call_id: "call_1", content: "get_weather says: rain" }],
    });
    for (const answer of [unnamed, after]) expect(answer.choices[0]?.message.content).toMatch(/^Simulated/);
  });

  it("follows a JSON schema", async () => {
    const openai = await client();
    const answer = await openai.chat.completions.create({
      model: "gpt-4.1",
      messages: hello,
      response_format: {
        type: "json_schema",
        json_schema: {
          name: "place",
          schema: {
            type: "object",
            properties: { city: { type: "string" }, tags: { type: "array", items: { type: "boolean" } } },
          },
        },
      },
    });
    expect(JSON.parse(answer.choices[0]?.message.content ?? "")).toEqual({
      city: "Simulated answer from OpenAI EU",
      tags: [true],
    });
  });

  it("reads a long prompt from its cache the second time", async () => {
    const openai = await client();
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "long ".repeat(1000) }];
    const first = await openai.chat.completions.create({ model: "gpt-4.1", messages });
    const second = await openai.chat.completions.create({ model: "gpt-4.1", messages });
    expect(first.usage?.prompt_tokens_details?.cached_tokens).toBe(0);
    expect(second.usage).toMatchObject({ prompt_tokens: 1250, prompt_tokens_details: { cached_tokens: 1152 } });
  });

  it("raises the SDK's own errors for an unknown model and a missing field", async () => {
    const openai = await client();
    await expect(openai.chat.completions.create({ model: "gpt-9", messages: hello })).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
    });
    await expect(openai.chat.completions.create({ model: "gpt-4.1", messages: [] })).rejects.toMatchObject({
      status: 400,
      param: "messages",
    });
  });

  it("refuses a request without a key as OpenAI does", async () => {
    const { url } = await running();
    const response = await fetch(`${url}/openai-eu/v1/chat/completions`, { method: "POST", body: "{}" });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", code: null } });
  });
});

describe("the OpenAI SDK against a simulated region: completions and embeddings", () => {
  it("answers n completions for each prompt of a batch", async () => {
    const openai = await client();
    const answer = await openai.completions.create({ model: "gpt-4.1", prompt: ["one", "two"], n: 2, max_tokens: 4 });
    expect(answer.choices).toHaveLength(4);
    expect(answer.choices[0]).toMatchObject({ text: "Simulated answer", finish_reason: "length" });
    expect(answer.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 16 });
  });

  it("streams a completion", async () => {
    const openai = await client();
    const stream = await openai.completions.create({ model: "gpt-4.1", prompt: "one", max_tokens: 4, stream: true });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
    expect(text).toBe("Simulated answer");
  });

  it("gives equal inputs equal vectors of length 1, in base64 and in numbers", async () => {
    const openai = await client();
    const model = "text-embedding-3-small";
    const base64 = await openai.embeddings.create({ model, input: ["same", "same", "other"] });
    const floats = await openai.embeddings.create({ model, input: "same", encoding_format: "float" });
    const [first, second, third] = base64.data.map((item) => [...item.embedding]);
    expect(first).toHaveLength(1536);
    expect(second).toEqual(first);
    expect(third).not.toEqual(first);
    expect(floats.data[0]?.embedding).toEqual(first);
    expect(Math.hypot(...(first ?? []))).toBeCloseTo(1, 4);
    expect(base64.usage).toEqual({ prompt_tokens: 4, total_tokens: 4 });
  });

  it("makes vectors of as many dimensions as asked", async () => {
    const openai = await client();
    const answer = await openai.embeddings.create({ model: "text-embedding-3-small", input: [[1, 2, 3]], dimensions: 8 });
    expect(answer.data[0]?.embedding).toHaveLength(8);
    expect(answer.usage.prompt_tokens).toBe(3);
  });
});

describe("the OpenAI SDK against a simulated region: responses", () => {
  it("answers, keeps the response, and forgets it when it is deleted", async () => {
    const openai = await client();
    const created = await openai.responses.create({ model: "gpt-4.1", input: "hello" });
    expect(created.output_text).toMatch(/^Simulated answer/);
    expect(created.usage).toMatchObject({ input_tokens: 2, total_tokens: 2 + tokensOf(created.output_text) });
    const kept = await openai.responses.retrieve(created.id);
    expect(kept.output_text).toBe(created.output_text);
    await openai.responses.delete(created.id);
    await expect(openai.responses.retrieve(created.id)).rejects.toMatchObject({ status: 404 });
  });

  it("knows a previous response only in the region that issued it, and pays for its text again", async () => {
    const { url } = await running();
    const europe = new OpenAI({ baseURL: `${url}/openai-eu/v1`, apiKey: "any", maxRetries: 0 });
    const america = new OpenAI({ baseURL: `${url}/openai-us/v1`, apiKey: "any", maxRetries: 0 });
    const first = await europe.responses.create({ model: "gpt-4.1", input: "hello" });
    const next = await europe.responses.create({ model: "gpt-4.1", input: "hello", previous_response_id: first.id });
    expect(next.usage?.input_tokens).toBe((first.usage?.total_tokens ?? 0) + 2);
    const elsewhere = america.responses.create({ model: "gpt-4.1", input: "hello", previous_response_id: first.id });
    await expect(elsewhere).rejects.toMatchObject({ status: 400, code: "previous_response_not_found" });
    await expect(america.responses.retrieve(first.id)).rejects.toMatchObject({ status: 404 });
  });

  it("keeps nothing where the client asks for that", async () => {
    const openai = await client();
    const created = await openai.responses.create({ model: "gpt-4.1", input: "hello", store: false });
    await expect(openai.responses.retrieve(created.id)).rejects.toMatchObject({ status: 404 });
  });

  it("streams typed events in order, with usage in the last", async () => {
    const openai = await client();
    const stream = await openai.responses.create({ model: "gpt-4.1", input: "hello", stream: true });
    const events = [];
    for await (const event of stream) events.push(event);
    const withoutRepeats = events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1]);
    expect(withoutRepeats).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(events.map((event) => ("sequence_number" in event ? event.sequence_number : -1))).toEqual(
      events.map((_, index) => index),
    );
    const last = events.at(-1);
    expect(last?.type === "response.completed" && last.response.usage?.input_tokens).toBe(2);
  });

  it("ends as incomplete at the client's ceiling", async () => {
    const openai = await client();
    const final = await openai.responses.stream({ model: "gpt-4.1", input: "hello", max_output_tokens: 16 }).finalResponse();
    expect(final).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
    expect(final.usage?.output_tokens).toBe(16);
  });

  it("streams the arguments of a function call", async () => {
    const openai = await client();
    const tools: OpenAI.Responses.FunctionTool[] = [
      {
        type: "function",
        name: "get_weather",
        strict: true,
        parameters: { type: "object", properties: { city: { type: "string" } } },
      },
    ];
    const stream = openai.responses.stream({ model: "gpt-4.1", input: "hello", tools, tool_choice: "required" });
    let streamed = "";
    stream.on("response.function_call_arguments.delta", (event) => void (streamed += event.delta));
    const [call] = (await stream.finalResponse()).output;
    expect(call).toMatchObject({ type: "function_call", name: "get_weather", arguments: streamed, status: "completed" });
    expect(JSON.parse(streamed)).toEqual({ city: "simulated by OpenAI EU" });
  });
});
