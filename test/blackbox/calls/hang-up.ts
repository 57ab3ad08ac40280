import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { anthropicClient, errorOf, openaiClient } from "../harness/clients.ts";
import { regionsWithin } from "../harness/catalogue.ts";
import { eventually, receiptLater } from "../harness/receipts.ts";
import type { Context, Guarantees } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];

export function hangUps(context: () => Context, noticesEarly: Guarantees["noticesEarlyHangUp"]): void {
  describe("a client that aborts", () => {
    /** Begins a slow stream, aborts it after three events, and gives the request's id. */
    const streams = {
      openai: async (url: string, key: string, model: string): Promise<string> => {
        const { data, request_id } = await openaiClient(url, key)
          .chat.completions.create({ model, messages, stream: true })
          .withResponse();
        let events = 0;
        for await (const _event of data) if (++events === 6) data.controller.abort();
        return request_id ?? "";
      },
      responses: async (url: string, key: string, model: string): Promise<string> => {
        const { data, request_id } = await openaiClient(url, key)
          .responses.create({ model, input: "Hello", stream: true })
          .withResponse();
        let events = 0;
        for await (const _event of data) if (++events === 8) break;
        return request_id ?? "";
      },
      anthropic: async (url: string, key: string, model: string): Promise<string> => {
        const { data, request_id } = await anthropicClient(url, key)
          .messages.create({ model, max_tokens: 200, messages, stream: true })
          .withResponse();
        let events = 0;
        for await (const _event of data) if (++events === 6) break;
        return request_id ?? "";
      },
    };
    const cases = [
      ["openai", "gpt-4o-mini", "KR", streams.openai],
      ["responses", "gpt-4.1-mini", "KR", streams.responses],
      ["anthropic", "claude-haiku-4-5", "US", streams.anthropic],
    ] as const;

    test.each(cases)(
      "in the middle of a stream (%s) stops the upstream, and pays for what it got",
      async (_name, model, country, run) => {
        const { gateway, operator } = context();
        const tenant = await operator.addTenant({
          allowCountries: [country],
          limits: [{ name: "concurrent", unit: "concurrent", window: "open", ceiling: 1 }],
        });
        const regions = regionsWithin(model, [country]);
        for (const region of regions) gateway.faults(region, [{ kind: "slow", delayMs: 60 }]);
        const cancelled = (): number => regions.reduce((sum, region) => sum + (gateway.stats()[region]?.cancelled ?? 0), 0);
        const open = (): number => regions.reduce((sum, region) => sum + (gateway.stats()[region]?.open ?? 0), 0);
        const before = cancelled();
        const requestId = await run(gateway.url, tenant.key, model);
        const receipt = await receiptLater(gateway.url, tenant.key, requestId);
        expect(receipt).toMatchObject({ end: "client_cancelled", usageSource: "estimated", status: 200 });
        expect(receipt.chargedTokens).toBeGreaterThan(0);
        expect(receipt.costMicroUsd).toBeGreaterThan(0);
        expect(receipt.chargedTokens).toBeLessThan(receipt.heldTokens);
        await eventually(() => expect([cancelled() - before, open()]).toEqual([1, 0]));
        // Its place among the requests at once is free again.
        expect(await operator.use(tenant.id)).toMatchObject([{ remaining: 1 }]);
      },
    );

    test(`before the head of its answer stops the upstream as well, ${noticesEarly}`, async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({
        allowCountries: ["GB"],
        limits: [{ name: "concurrent", unit: "concurrent", window: "open", ceiling: 1 }],
      });
      const model = "gpt-4o-mini";
      const [region = ""] = regionsWithin(model, ["GB"]);
      gateway.faults(region, [{ kind: "slow", afterMs: noticesEarly === "at once" ? 30_000 : 1_000, delayMs: 100 }]);
      const aborter = new AbortController();
      const call = openaiClient(gateway.url, tenant.key).chat.completions.create(
        { model, messages, stream: true },
        { signal: aborter.signal },
      );
      const ended = errorOf(call);
      await eventually(() => expect(gateway.stats()[region]?.open).toBe(1));
      expect(await operator.use(tenant.id)).toMatchObject([{ remaining: 0 }]);
      aborter.abort();
      expect(await ended).toBeInstanceOf(OpenAI.APIUserAbortError);
      await eventually(() => expect(gateway.stats()[region]).toMatchObject({ open: 0, cancelled: 1 }));
      await eventually(async () => expect(await operator.use(tenant.id)).toMatchObject([{ remaining: 1 }]));
    });
  });
}
