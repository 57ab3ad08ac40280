import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { reached } from "../harness/gateway-under-test.ts";
import { azureClient, azureV1Client, drain, errorOf, openaiClient } from "../harness/clients.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const model = "gpt-4.1";

export function responsesCalls(context: () => Context): void {
  const clients = [
    ["the OpenAI SDK", openaiClient],
    ["the Azure SDK", azureClient],
    ["the OpenAI SDK on Azure's GA surface", azureV1Client],
  ] as const;

  describe.each(clients)("Responses through %s", (_name, clientOf) => {
    const client = () => clientOf(context().gateway.url, context().tenant.key);

    test("are created, retrieved where they were made, and deleted there", async () => {
      const made = await client().responses.create({ model, input: "Where do you run?" }).withResponse();
      expect(made.data.output_text).toMatch(/^Simulated answer/);
      const region = made.response.headers.get("x-strait-region") ?? "none";
      const before = context().gateway.stats();
      const got = await client().responses.retrieve(made.data.id).withResponse();
      expect(got.data.output_text).toBe(made.data.output_text);
      expect(got.response.headers.get("x-strait-region")).toBe(region);
      // It was paid for when it was made.
      const receipt = await receiptOf(
        context().gateway.url,
        context().tenant.key,
        got.response.headers.get("x-request-id") ?? "",
      );
      expect(receipt).toMatchObject({ chargedTokens: 0, costMicroUsd: 0, usageSource: "none" });
      await client().responses.delete(made.data.id);
      expect(reached(before, context().gateway.stats())).toEqual({ [region]: 2 });
      expect(await errorOf(client().responses.retrieve(made.data.id))).toBeInstanceOf(OpenAI.NotFoundError);
    });

    test("are streamed as typed events, the last with the usage", async () => {
      const { data: stream, response } = await client()
        .responses.create({ model, input: "Where do you run?", stream: true })
        .withResponse();
      const { events, error } = await drain(stream);
      expect(error).toBeUndefined();
      expect(events[0]?.type).toBe("response.created");
      const last = events.at(-1);
      expect(last?.type === "response.completed" ? last.response.usage?.output_tokens : last).toBeGreaterThan(0);
      const receipt = await receiptOf(context().gateway.url, context().tenant.key, response.headers.get("x-request-id") ?? "");
      expect(receipt).toMatchObject({ surface: "responses", end: "completed", usageSource: "reported" });
    });

    test("are continued at the deployment that issued the id, streamed or not", async () => {
      // Often enough that chance would show: this model has more than ten deployments to choose from.
      const first = await client().responses.create({ model, input: "Where do you run?" }).withResponse();
      let previous = first.data.id;
      for (let turn = 0; turn < 4; turn++) {
        const next = await client().responses.create({ model, input: "And now?", previous_response_id: previous }).withResponse();
        expect(next.response.headers.get("x-strait-region")).toBe(first.response.headers.get("x-strait-region"));
        previous = next.data.id;
      }
      const stream = await client()
        .responses.create({ model, input: "And now?", previous_response_id: previous, stream: true })
        .withResponse();
      expect((await drain(stream.data)).error).toBeUndefined();
      expect(stream.response.headers.get("x-strait-region")).toBe(first.response.headers.get("x-strait-region"));
    });
  });

  describe("a response's id", () => {
    test("means nothing to another tenant, and no upstream is asked for it", async () => {
      const { gateway, operator, tenant } = context();
      const made = await openaiClient(gateway.url, tenant.key).responses.create({ model, input: "Where do you run?" });
      const stranger = openaiClient(gateway.url, (await operator.addTenant()).key);
      const before = gateway.stats();
      const errors = [
        await errorOf(stranger.responses.retrieve(made.id)),
        await errorOf(stranger.responses.delete(made.id)),
        await errorOf(stranger.responses.create({ model, input: "And now?", previous_response_id: made.id })),
      ];
      for (const error of errors) expect(error).toBeInstanceOf(OpenAI.NotFoundError);
      expect(reached(before, gateway.stats())).toEqual({});
      expect((await openaiClient(gateway.url, tenant.key).responses.retrieve(made.id)).id).toBe(made.id);
    });

    test("that nobody issued is not found, and no upstream is asked for it", async () => {
      const { gateway, tenant } = context();
      const before = gateway.stats();
      const client = openaiClient(gateway.url, tenant.key);
      expect(await errorOf(client.responses.retrieve("resp_never"))).toBeInstanceOf(OpenAI.NotFoundError);
      expect(await errorOf(client.responses.create({ model, input: "x", previous_response_id: "resp_never" }))).toBeInstanceOf(
        OpenAI.NotFoundError,
      );
      expect(reached(before, gateway.stats())).toEqual({});
    });

    test("is refused once the policy no longer permits the deployment that keeps it", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["JP", "AU"] });
      const client = openaiClient(gateway.url, tenant.key);
      const made = await client.responses.create({ model, input: "Where do you run?" }).withResponse();
      const elsewhere = made.response.headers.get("x-strait-countries") === "JP" ? "AU" : "JP";
      await operator.ask("PATCH", `/tenants/${tenant.id}`, { allowCountries: [elsewhere] });
      const before = gateway.stats();
      const error = await errorOf(client.responses.create({ model, input: "And now?", previous_response_id: made.data.id }));
      expect(error).toBeInstanceOf(OpenAI.PermissionDeniedError);
      expect(reached(before, gateway.stats())).toEqual({});
    });
  });
}
