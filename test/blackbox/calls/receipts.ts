import { describe, expect, test } from "vitest";
import { parseRecord, replay, Worlds } from "../../../src/bundle/replay.ts";
import { shipped } from "../harness/catalogue.ts";
import { anthropicClient, azureClient, drain, errorOf, openaiClient } from "../harness/clients.ts";
import { receiptOf, receiptResponse } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];

export function receipts(context: () => Context): void {
  describe("a receipt", () => {
    test("says who asked, by which policy, where it ran and what it cost, and is there when the answer is", async () => {
      const { gateway, tenant } = context();
      const { data, response } = await openaiClient(gateway.url, tenant.key)
        .chat.completions.create({ model: "gpt-4.1-2025-04-14", messages })
        .withResponse();
      const requestId = response.headers.get("x-request-id") ?? "";
      const receipt = await receiptOf(gateway.url, tenant.key, requestId);
      expect(receipt).toMatchObject({
        requestId,
        tenantId: tenant.id,
        keyId: tenant.keyId,
        dialect: "openai",
        surface: "chat.completions",
        modelAsked: "gpt-4.1-2025-04-14",
        model: "gpt-4.1",
        region: response.headers.get("x-strait-region"),
        countries: response.headers.get("x-strait-countries"),
        status: 200,
        end: "completed",
        usageSource: "reported",
        usage: { inputTokens: data.usage?.prompt_tokens, outputTokens: data.usage?.completion_tokens },
        chargedTokens: data.usage?.total_tokens,
        attempts: [{ status: 200, outcome: "answered" }],
      });
      expect(receipt.policyVersion).toMatch(/\S/);
      expect(receipt.rules.length).toBeGreaterThan(0);
      expect(receipt.costMicroUsd).toBeGreaterThan(0);
      expect(receipt.heldTokens).toBeGreaterThanOrEqual(receipt.chargedTokens);
      expect(receipt.evidence.upstreamRequestId).toMatch(/\S/);
      expect(receipt.endedAtMs).toBeGreaterThanOrEqual(receipt.startedAtMs);
    });

    test("of a stream is there once its last event was read", async () => {
      const { gateway, tenant } = context();
      for (let round = 0; round < 10; round++) {
        const { data, response } = await openaiClient(gateway.url, tenant.key)
          .chat.completions.create({ model: "gpt-4.1", messages, stream: true })
          .withResponse();
        expect((await drain(data)).error).toBeUndefined();
        expect(await receiptOf(gateway.url, tenant.key, response.headers.get("x-request-id") ?? "")).toMatchObject({
          end: "completed",
        });
      }
    });

    test("is the tenant's alone", async () => {
      const { gateway, operator, tenant } = context();
      const { response } = await openaiClient(gateway.url, tenant.key)
        .chat.completions.create({ model: "gpt-4.1", messages })
        .withResponse();
      const requestId = response.headers.get("x-request-id") ?? "";
      const stranger = await receiptResponse(gateway.url, (await operator.addTenant()).key, requestId);
      expect([stranger.status, await stranger.text()]).toEqual([404, expect.not.stringContaining(tenant.id)]);
      const unknown = await receiptResponse(gateway.url, tenant.key, "req_never");
      expect(unknown.status).toBe(404);
      await unknown.body?.cancel();
    });

    test("of a request that was refused before it was held against a limit says why, and charges nothing", async () => {
      const { gateway, tenant } = context();
      const error = await errorOf(openaiClient(gateway.url, tenant.key).chat.completions.create({ model: "gpt-17", messages }));
      const requestId = (error as { readonly requestID?: string }).requestID ?? "";
      expect(requestId).toMatch(/\S/);
      const receipt = await receiptOf(gateway.url, tenant.key, requestId);
      expect(receipt).toMatchObject({ end: "refused", modelAsked: "gpt-17", refusal: { kind: "model_not_found" } });
      expect(receipt).not.toHaveProperty("chargedTokens");
    });
  });

  describe("the records of what was refused", () => {
    test("are exported of a tenant, apart from its receipts, and what the policy refused is decided the same again", async () => {
      const { gateway, operator } = context();
      const { id, key } = await operator.addTenant({ country: "CN", allowCountries: ["JP", "AU"] });
      const scoped = await operator.issueKey(id, { models: ["gpt-4.1-mini"] });
      const openai = openaiClient(gateway.url, key);
      const anthropic = anthropicClient(gateway.url, key);
      const ask = (client = openai) => client.chat.completions.create({ model: "gpt-4.1", messages });
      const goOn = (from: string) => openai.responses.create({ model: "gpt-4.1", input: "And now?", previous_response_id: from });
      await errorOf(anthropic.messages.create({ model: "claude-sonnet-4-5", max_tokens: 20, messages }));
      await errorOf(openai.chat.completions.create({ model: "gpt-17", messages }));
      await errorOf(ask(openaiClient(gateway.url, scoped.key)));
      await errorOf(goOn("resp_never"));
      const kept = await openai.responses.create({ model: "gpt-4.1", input: "Where do you run?" }).withResponse();
      const elsewhere = kept.response.headers.get("x-strait-countries") === "JP" ? "AU" : "JP";
      await operator.ask("PATCH", `/tenants/${id}`, { allowCountries: [elsewhere] });
      await errorOf(goOn(kept.data.id));
      await operator.verification(id, "under_review");
      await errorOf(ask());

      const exported = async (kind: string): Promise<string[]> =>
        (await operator.text("GET", `/usage/export?format=jsonl&kind=${kind}&tenant=${id}`)).split("\n").slice(0, -1);
      const worlds = new Worlds();
      worlds.add(shipped);
      const again = (lines: readonly string[], change: object = {}): unknown[] =>
        lines.map((line) => {
          const record = parseRecord(line);
          if (record === undefined) throw new Error("a record is not read again");
          return [record.refusal?.kind ?? record.model, replay({ ...record, ...change }, worlds).result];
        });
      const refused = await exported("refusals");
      expect(again(refused)).toEqual([
        ["policy_denied", "same"],
        ["model_not_found", "same"],
        // A key's scope and an id that nobody issued are no matter of policy.
        ["key_scope", "not_decided"],
        ["response_not_found", "not_decided"],
        ["policy_denied", "same"],
        ["tenant_not_verified", "same"],
      ]);
      expect(again(await exported("receipts"))).toEqual([["gpt-4.1", "same"]]);
      const others = again(refused, { end: "completed" }) as [string, string][];
      expect(others.map(([, result]) => result)).toEqual([
        "different",
        "different",
        "without_inputs",
        "without_inputs",
        "different",
        "different",
      ]);
    });
  });

  describe("every answer", () => {
    test("carries the request's id where its dialect looks for it, and none of the upstream's own headers", async () => {
      const { gateway, tenant } = context();
      const openai = await openaiClient(gateway.url, tenant.key)
        .chat.completions.create({ model: "gpt-4.1", messages })
        .withResponse();
      expect(openai.request_id).toBe(openai.response.headers.get("x-request-id"));
      const azure = await azureClient(gateway.url, tenant.key)
        .chat.completions.create({ model: "gpt-4.1", messages })
        .withResponse();
      expect(azure.request_id).toMatch(/\S/);
      const anthropic = await anthropicClient(gateway.url, tenant.key)
        .messages.create({ model: "claude-haiku-4-5", max_tokens: 20, messages })
        .withResponse();
      expect(anthropic.request_id).toMatch(/\S/);
      expect(anthropic.response.headers.get("x-request-id")).toBe(anthropic.request_id);
      for (const { response } of [openai, azure, anthropic]) {
        const foreign = [...response.headers.keys()].filter((name) =>
          /^(x-ms-|apim-|azureml-|x-strait-simulated|openai-version|x-ratelimit-|anthropic-ratelimit-)/.test(name),
        );
        // This tenant has no limit a minute, so even the rate headers could only be the upstream's.
        expect(foreign).toEqual([]);
      }
      expect(openai.response.headers.get("openai-processing-ms")).toMatch(/^\d+$/);
    });
  });
}
