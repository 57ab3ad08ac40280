import { describe, expect, test } from "vitest";
import { anthropicClient, drain } from "../harness/clients.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const request = {
  model: "claude-haiku-4-5",
  max_tokens: 200,
  messages: [{ role: "user" as const, content: "Where do you run?" }],
};
const tools = [
  {
    name: "get_weather",
    input_schema: { type: "object" as const, properties: { city: { type: "string" } }, required: ["city"] },
  },
];

export function anthropicCalls(context: () => Context): void {
  const client = () => anthropicClient(context().gateway.url, context().tenant.key);

  describe("the Anthropic SDK", () => {
    test("gets a message, and a receipt in which the provider attests the place", async () => {
      const { data, response } = await client().messages.create(request).withResponse();
      expect(data.content[0]).toMatchObject({ type: "text", text: expect.stringMatching(/^Simulated answer/) });
      expect(data.usage.output_tokens).toBeGreaterThan(0);
      expect(response.headers.get("x-strait-region")).toBe("anthropic-us");
      const receipt = await receiptOf(context().gateway.url, context().tenant.key, response.headers.get("request-id") ?? "");
      expect(receipt).toMatchObject({
        end: "completed",
        evidenceGrade: "attested",
        evidence: { inferenceGeo: "us" },
        countries: "US",
      });
    });

    test("streams a message with its usage", async () => {
      const stream = client().messages.stream(request);
      const message = await stream.finalMessage();
      expect(message.content[0]).toMatchObject({ type: "text", text: expect.stringMatching(/^Simulated answer/) });
      expect(message.usage.output_tokens).toBeGreaterThan(0);
      const raw = await drain(await client().messages.create({ ...request, stream: true }));
      expect(raw.error).toBeUndefined();
      expect(raw.events.map((event) => event.type)).toEqual(
        expect.arrayContaining(["message_start", "content_block_delta", "message_delta", "message_stop"]),
      );
    });

    test("gets tool uses, streamed and not", async () => {
      const asking = { ...request, tools, tool_choice: { type: "any" as const } };
      const whole = await client().messages.create(asking);
      expect(whole).toMatchObject({
        stop_reason: "tool_use",
        content: [{ type: "tool_use", name: "get_weather", input: { city: expect.any(String) } }],
      });
      const streamed = await client().messages.stream(asking).finalMessage();
      expect(streamed.content[0]).toMatchObject({ type: "tool_use", name: "get_weather", input: { city: expect.any(String) } });
    });

    test("counts tokens, which costs none", async () => {
      const { max_tokens: _unused, ...counted } = request;
      const { data, response } = await client().messages.countTokens(counted).withResponse();
      expect(data.input_tokens).toBeGreaterThan(0);
      const receipt = await receiptOf(context().gateway.url, context().tenant.key, response.headers.get("request-id") ?? "");
      expect(receipt).toMatchObject({ surface: "count_tokens", end: "completed", chargedTokens: 0, costMicroUsd: 0 });
    });

    test("lists and shows models in its own form", async () => {
      const page = await client().models.list();
      expect(page.data.map((model) => model.id)).toContain("claude-haiku-4-5");
      expect(await client().models.retrieve("claude-haiku-4-5")).toMatchObject({
        type: "model",
        id: "claude-haiku-4-5",
        display_name: "Claude Haiku 4.5",
      });
    });
  });
}
