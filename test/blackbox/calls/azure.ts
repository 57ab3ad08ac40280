import { describe, expect, test } from "vitest";
import { azureClient, azureV1Client, drain } from "../harness/clients.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];

export function azureCalls(context: () => Context): void {
  const clients = [
    ["the Azure SDK", azureClient],
    ["the OpenAI SDK on Azure's GA surface", azureV1Client],
  ] as const;

  describe.each(clients)("%s", (_name, clientOf) => {
    const client = () => clientOf(context().gateway.url, context().tenant.key);

    test("gets a chat completion for the deployment that it names", async () => {
      const { data, response } = await client().chat.completions.create({ model: "gpt-4.1", messages }).withResponse();
      expect(data.choices[0]?.message.content).toMatch(/^Simulated answer/);
      expect(data.model).toBe("gpt-4.1");
      expect(response.headers.get("x-strait-region")).toMatch(/^[a-z0-9-]+$/);
    });

    test("streams a chat completion, with the usage chunk only where it asked for it", async () => {
      const plain = await drain(await client().chat.completions.create({ model: "gpt-4.1", messages, stream: true }));
      const asked = await drain(
        await client().chat.completions.create({
          model: "gpt-4.1",
          messages,
          stream: true,
          stream_options: { include_usage: true },
        }),
      );
      expect([plain.error, asked.error]).toEqual([undefined, undefined]);
      expect(plain.events.filter((event) => event.usage)).toEqual([]);
      expect(asked.events.at(-1)?.usage?.completion_tokens).toBeGreaterThan(0);
    });

    test("gets tool calls", async () => {
      const tools = [
        { type: "function" as const, function: { name: "get_weather", parameters: { type: "object", properties: {} } } },
      ];
      const answer = await client().chat.completions.create({ model: "gpt-4.1", messages, tools, tool_choice: "required" });
      expect(answer.choices[0]?.message.tool_calls?.[0]).toMatchObject({ function: { name: "get_weather" } });
    });

    test("gets legacy completions", async () => {
      const answer = await client().completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Where do you run?" });
      expect(answer.choices[0]?.text).toMatch(/Simulated answer/);
    });

    test("gets embeddings", async () => {
      const answer = await client().embeddings.create({ model: "text-embedding-3-large", input: "one" });
      expect(answer.data[0]?.embedding.length).toBe(3072);
    });

    test("lists and shows models", async () => {
      expect((await client().models.list()).data.map((model) => model.id)).toContain("gpt-4.1");
      expect((await client().models.retrieve("gpt-4.1")).id).toBe("gpt-4.1");
    });
  });
}
