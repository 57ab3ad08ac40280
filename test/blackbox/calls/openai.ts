import { describe, expect, test } from "vitest";
import { drain, openaiClient } from "../harness/clients.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const tools = [
  {
    type: "function" as const,
    function: {
      name: "get_weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

export function openaiCalls(context: () => Context): void {
  const client = () => openaiClient(context().gateway.url, context().tenant.key);

  describe("the OpenAI SDK", () => {
    test("gets a chat completion, told where it was made", async () => {
      const { data, response } = await client().chat.completions.create({ model: "gpt-4.1", messages }).withResponse();
      expect(data.choices[0]?.message.content).toMatch(/Simulated answer/);
      expect(data.usage?.completion_tokens).toBeGreaterThan(0);
      const region = response.headers.get("x-strait-region") ?? "";
      expect(data.choices[0]?.message.content).toContain(`in region ${region} `);
      expect(response.headers.get("x-strait-countries")).toMatch(/^[A-Z]{2}(, ?[A-Z]{2}|,[A-Z]{2})*$/);
    });

    test("streams a chat completion without a usage chunk, which it did not ask for, and is charged by one all the same", async () => {
      const { data: stream, response } = await client()
        .chat.completions.create({ model: "gpt-4.1", messages, stream: true })
        .withResponse();
      expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
      const { events, error } = await drain(stream);
      expect(error).toBeUndefined();
      // `usage: null` stays in the chunks, as the upstream sent it: only what says something is kept back.
      expect(events.filter((event) => event.usage)).toEqual([]);
      expect(events.flatMap((event) => event.choices.map((choice) => choice.delta.content ?? "")).join("")).toMatch(
        /^Simulated answer/,
      );
      expect(events.flatMap((event) => event.choices.map((choice) => choice.finish_reason)).at(-1)).toBe("stop");
      const receipt = await receiptOf(context().gateway.url, context().tenant.key, response.headers.get("x-request-id") ?? "");
      expect(receipt).toMatchObject({ end: "completed", usageSource: "reported", stream: true });
      expect(receipt.chargedTokens).toBe((receipt.usage.inputTokens ?? 0) + (receipt.usage.outputTokens ?? 0));
    });

    test("streams a usage chunk where it asked for one, last and with no choices", async () => {
      const stream = await client().chat.completions.create({
        model: "gpt-4.1",
        messages,
        stream: true,
        stream_options: { include_usage: true },
      });
      const { events, error } = await drain(stream);
      expect(error).toBeUndefined();
      expect(events.at(-1)?.choices).toEqual([]);
      expect(events.at(-1)?.usage?.total_tokens).toBeGreaterThan(0);
      expect(events.slice(0, -1).filter((event) => event.usage)).toEqual([]);
    });

    test("gets tool calls, streamed and not", async () => {
      const request = { model: "gpt-4.1", messages, tools, tool_choice: "required" as const };
      const whole = await client().chat.completions.create(request);
      const [call] = whole.choices[0]?.message.tool_calls ?? [];
      expect(whole.choices[0]?.finish_reason).toBe("tool_calls");
      expect(call?.type === "function" ? [call.function.name, JSON.parse(call.function.arguments)] : call).toEqual([
        "get_weather",
        { city: expect.any(String) },
      ]);
      const streamed = await client().chat.completions.stream(request).finalChatCompletion();
      expect(streamed.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: "get_weather" } });
    });

    test("gets as many choices as it asks for, streamed and not", async () => {
      const whole = await client().chat.completions.create({ model: "gpt-4.1", messages, n: 3 });
      expect(whole.choices.map((choice) => choice.index)).toEqual([0, 1, 2]);
      const { events } = await drain(await client().chat.completions.create({ model: "gpt-4.1", messages, n: 3, stream: true }));
      expect(new Set(events.flatMap((event) => event.choices.map((choice) => choice.index)))).toEqual(new Set([0, 1, 2]));
    });

    test("gets legacy completions, streamed and not", async () => {
      const request = { model: "gpt-3.5-turbo-instruct", prompt: "Where do you run?", max_tokens: 20 };
      const whole = await client().completions.create(request);
      expect(whole.choices[0]?.text).toMatch(/^Simulated/);
      const { events, error } = await drain(await client().completions.create({ ...request, stream: true }));
      expect(error).toBeUndefined();
      expect(events.flatMap((event) => event.choices.map((choice) => choice.text)).join("")).toMatch(/^Simulated/);
      expect(events.filter((event) => event.usage)).toEqual([]);
    });

    test("gets embeddings, as floats and as the base64 that it asks for by itself", async () => {
      const byItself = await client().embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
      const floats = await client().embeddings.create({
        model: "text-embedding-3-small",
        input: ["one", "two"],
        encoding_format: "float",
      });
      expect(floats.data.map((item) => item.embedding.length)).toEqual([1536, 1536]);
      expect(byItself.data.map((item) => item.embedding.map(Math.fround))).toEqual(
        floats.data.map((item) => item.embedding.map(Math.fround)),
      );
      const text = await client().embeddings.create({ model: "text-embedding-3-large", input: "one", encoding_format: "base64" });
      expect(text.data[0]?.embedding).toBeTypeOf("string");
    });

    test("lists and shows the models that this tenant may use, by name and by alias", async () => {
      const listed = (await client().models.list()).data.map((model) => model.id);
      expect(listed).toEqual(expect.arrayContaining(["gpt-5", "gpt-4.1", "text-embedding-3-large", "claude-haiku-4-5"]));
      expect(await client().models.retrieve("gpt-4.1")).toMatchObject({ id: "gpt-4.1", object: "model", owned_by: "openai" });
      expect((await client().models.retrieve("gpt-4.1-2025-04-14")).id).toBe("gpt-4.1");
    });
  });

  describe("a list of models", () => {
    test("leaves out what the policy or the tenant's tiers keep from it", async () => {
      const { gateway, operator } = context();
      const chinese = await operator.addTenant({ country: "CN" });
      const standard = await operator.addTenant({ tiers: ["standard"] });
      const scoped = await operator.issueKey(context().tenant.id, { models: ["gpt-4.1"] });
      const listOf = async (key: string) => (await openaiClient(gateway.url, key).models.list()).data.map((model) => model.id);
      const ofChinese = await listOf(chinese.key);
      expect(ofChinese).toContain("gpt-5");
      expect(ofChinese.filter((id) => id.startsWith("claude"))).toEqual([]);
      const ofStandard = await listOf(standard.key);
      expect(ofStandard).toContain("gpt-4.1");
      expect(ofStandard).not.toContain("gpt-5");
      expect(await listOf(scoped.key)).toEqual(["gpt-4.1"]);
    });
  });
}
