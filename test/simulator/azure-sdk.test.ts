import OpenAI, { AzureOpenAI } from "openai";
import { describe, expect, it } from "vitest";
import { running } from "./running.ts";

const hello: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "hello" }];

async function client(): Promise<AzureOpenAI> {
  const { url } = await running();
  return new AzureOpenAI({ endpoint: `${url}/swedencentral`, apiKey: "any", apiVersion: "2024-10-21", maxRetries: 0 });
}

describe("the Azure SDK against a simulated region", () => {
  it("gets the headers and filter results that Azure adds, with integer resets", async () => {
    const azure = await client();
    const { data, response } = await azure.chat.completions.create({ model: "our-gpt", messages: hello }).withResponse();
    expect(data.model).toBe("gpt-4.1");
    expect(data).toHaveProperty("prompt_filter_results");
    expect(data.choices[0]).toHaveProperty("content_filter_results");
    expect(response.headers.get("x-ms-region")).toBe("Sweden Central");
    expect(response.headers.get("x-ms-deployment-name")).toBe("our-gpt");
    expect(response.headers.get("apim-request-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-/);
    expect(response.headers.get("x-ratelimit-remaining-tokens")).toBe(String(10_000 - (data.usage?.total_tokens ?? 0)));
    expect(response.headers.get("x-ratelimit-reset-tokens")).toMatch(/^\d+$/);
  });

  it("streams a first event with neither choices nor id", async () => {
    const azure = await client();
    const stream = await azure.chat.completions.create({ model: "our-gpt", messages: hello, stream: true });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]).toMatchObject({ choices: [], id: "", model: "" });
    expect(chunks[0]).toHaveProperty("prompt_filter_results");
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toMatch(
      /^Simulated answer from Sweden Central/,
    );
  });

  it("answers embeddings on a deployment that serves nothing else", async () => {
    const azure = await client();
    const answer = await azure.embeddings.create({ model: "our-embedding", input: "hello" });
    expect(answer.data[0]?.embedding).toHaveLength(3072);
    await expect(azure.chat.completions.create({ model: "our-embedding", messages: hello })).rejects.toMatchObject({
      status: 400,
      code: "OperationNotSupported",
    });
  });

  it("answers responses and names the served model", async () => {
    const azure = await client();
    const { data, response } = await azure.responses.create({ model: "our-gpt", input: "hello" }).withResponse();
    expect(data.output_text).toMatch(/^Simulated/);
    expect(data).toHaveProperty("content_filters");
    expect(response.headers.get("x-ms-served-model")).toBe("gpt-4.1");
    expect((await azure.responses.retrieve(data.id)).id).toBe(data.id);
  });

  it("speaks the v1 surface, where the deployment's name is the model", async () => {
    const { url } = await running();
    const openai = new OpenAI({ baseURL: `${url}/swedencentral/openai/v1`, apiKey: "any", maxRetries: 0 });
    const answer = await openai.chat.completions.create({ model: "our-gpt", messages: hello });
    expect(answer.model).toBe("gpt-4.1");
  });

  it("does not know a deployment that it was not given", async () => {
    const azure = await client();
    await expect(azure.chat.completions.create({ model: "gpt-4.1", messages: hello })).rejects.toMatchObject({
      status: 404,
      code: "DeploymentNotFound",
    });
  });

  it("knows none of its older paths without a version", async () => {
    const { url } = await running();
    const response = await fetch(`${url}/swedencentral/openai/deployments/our-gpt/chat/completions`, {
      method: "POST",
      body: "{}",
    });
    expect(response.status).toBe(404);
    expect(await response.json()).toEqual({ error: { code: "404", message: "Resource not found" } });
  });

  it("refuses a request without a key as Azure does", async () => {
    const { url } = await running();
    const response = await fetch(`${url}/swedencentral/openai/v1/chat/completions`, { method: "POST", body: "{}" });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: "401" } });
  });
});
