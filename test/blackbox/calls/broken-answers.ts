import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import type { Fault } from "../../../src/simulator/faults.ts";
import { anthropicClient, azureClient, drain, errorOf, openaiClient } from "../harness/clients.ts";
import { regionsWithin } from "../harness/catalogue.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const message = { model: "claude-haiku-4-5", max_tokens: 50, messages };

/** What becomes of answers that break after they have begun. Wants the short deadlines. */
export function brokenAnswers(context: () => Context): void {
  describe("a stream that was begun and then", () => {
    // After a moment: what broke off at once never began for the client, and is a plain error.
    const breaks: Readonly<Record<string, Fault>> = {
      "ends without its end": { kind: "truncation", afterEvents: 6, afterMs: 150 },
      "is reset": { kind: "reset", afterEvents: 6, afterMs: 150 },
      "reports an error": { kind: "error-mid-stream", afterEvents: 6, afterMs: 150, message: "words of the upstream's own" },
      "falls silent": { kind: "stall", afterEvents: 6 },
    };

    /** Reads a stream of each surface to its end, and gives what the SDK raised. */
    const surfaces: Readonly<
      Record<
        string,
        {
          readonly model: string;
          readonly countries: readonly string[];
          readonly run: (
            url: string,
            key: string,
            model: string,
          ) => Promise<{ events: readonly unknown[]; error: unknown; requestId: string }>;
        }
      >
    > = {
      "chat completions (OpenAI)": {
        model: "gpt-4o-mini",
        countries: ["JP"],
        run: async (url, key, model) => {
          const { data, request_id } = await openaiClient(url, key)
            .chat.completions.create({ model, messages, stream: true })
            .withResponse();
          return { ...(await drain(data)), requestId: request_id ?? "" };
        },
      },
      "chat completions (Azure)": {
        model: "gpt-4o",
        countries: ["SE"],
        run: async (url, key, model) => {
          const { data, request_id } = await azureClient(url, key)
            .chat.completions.create({ model, messages, stream: true })
            .withResponse();
          return { ...(await drain(data)), requestId: request_id ?? "" };
        },
      },
      completions: {
        model: "gpt-3.5-turbo-instruct",
        countries: ["SE"],
        run: async (url, key, model) => {
          const { data, request_id } = await openaiClient(url, key)
            .completions.create({ model, prompt: "Hello", stream: true })
            .withResponse();
          return { ...(await drain(data)), requestId: request_id ?? "" };
        },
      },
      responses: {
        model: "gpt-4.1-mini",
        countries: ["SE"],
        run: async (url, key, model) => {
          const { data, request_id } = await openaiClient(url, key)
            .responses.create({ model, input: "Hello", stream: true })
            .withResponse();
          return { ...(await drain(data)), requestId: request_id ?? "" };
        },
      },
      messages: {
        model: "claude-opus-4-5",
        countries: ["US"],
        run: async (url, key, model) => {
          const { data, request_id } = await anthropicClient(url, key)
            .messages.create({ ...message, model, stream: true })
            .withResponse();
          return { ...(await drain(data)), requestId: request_id ?? "" };
        },
      },
    };

    describe.each(Object.entries(breaks))("%s", (_how, fault) => {
      test.each(Object.entries(surfaces))("makes the SDK raise, on %s", async (surface, { model, countries, run }) => {
        const { gateway, operator } = context();
        const tenant = await operator.addTenant({ allowCountries: countries });
        for (const region of regionsWithin(model, countries)) gateway.faults(region, [fault]);
        const { events, error, requestId } = await run(gateway.url, tenant.key, model);
        expect(events.length).toBeGreaterThan(2);
        // The SDK hands an error event of the Responses API on as an event, as it came.
        const raised =
          error ?? (surface === "responses" ? events.find((event) => (event as { type: string }).type === "error") : undefined);
        expect(raised).toBeDefined();
        if (error !== undefined) expect(error).toBeInstanceOf(surface === "messages" ? Anthropic.APIError : OpenAI.APIError);
        expect(JSON.stringify(raised) + String(error)).not.toContain("words of the upstream's own");
        const receipt = await receiptOf(gateway.url, tenant.key, requestId);
        expect(receipt.end).toBe(fault.kind === "stall" ? "deadline_passed" : "upstream_failed");
        expect(receipt.chargedTokens).toBeGreaterThan(0);
        expect(receipt.chargedTokens).toBeLessThanOrEqual(receipt.heldTokens);
        expect(receipt.attempts.length).toBe(1);
      });
    });
  });

  describe("a stream that breaks off at once", () => {
    test("costs something only if something of it was given", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["IN"] });
      for (const region of regionsWithin("gpt-4o", ["IN"])) gateway.faults(region, [{ kind: "truncation", afterEvents: 6 }]);
      const client = openaiClient(gateway.url, tenant.key);
      const exchanged = await client.chat.completions
        .create({ model: "gpt-4o", messages, stream: true })
        .withResponse()
        .then(async ({ data, request_id }) => ({ ...(await drain(data)), requestId: request_id }))
        // Where the end came before the head was sent on, it is a plain error, which the SDK may retry.
        .catch((error: unknown) => ({ events: [], error, requestId: (error as { requestID: string }).requestID }));
      expect(exchanged.error).toMatchObject({ code: "upstream_cut_off" });
      const receipt = await receiptOf(gateway.url, tenant.key, exchanged.requestId ?? "");
      expect(receipt.end).toBe("upstream_failed");
      expect(receipt.chargedTokens > 0).toBe(exchanged.events.length > 0);
    });
  });

  describe("a whole answer that breaks off in its middle", () => {
    test("is no answer: the client is told that the upstream stopped", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["KR"] });
      for (const region of regionsWithin("gpt-4o", ["KR"])) gateway.faults(region, [{ kind: "truncation", afterEvents: 1 }]);
      const error = await errorOf(openaiClient(gateway.url, tenant.key).chat.completions.create({ model: "gpt-4o", messages }));
      expect(error).toMatchObject({ status: 502, code: "upstream_cut_off" });
    });

    test("after so much of it was sent on that it cannot be taken back, breaks the client's connection off", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["GB"] });
      for (const region of regionsWithin("gpt-4.1-mini", ["GB"])) {
        gateway.faults(region, [
          { kind: "huge-event", afterEvents: 0, bytes: 600_000 },
          { kind: "reset", afterEvents: 1 },
        ]);
      }
      const call = openaiClient(gateway.url, tenant.key).chat.completions.create({ model: "gpt-4.1-mini", messages });
      const error = await errorOf(call);
      expect(error).toMatchObject({ message: "terminated", cause: { code: "UND_ERR_SOCKET" } });
    });
  });

  describe("a stream that is silent for long", () => {
    test("is kept alive by what the client's SDK passes over", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["JP", "US"] });
      const slow: Fault = { kind: "slow", delayMs: 220 };
      for (const region of [...regionsWithin("o4-mini", ["US"]), "anthropic-us"]) gateway.faults(region, [slow]);
      const post = async (path: string, body: unknown): Promise<string> => {
        const response = await fetch(`${gateway.url}${path}`, {
          method: "POST",
          headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
          body: JSON.stringify(body),
        });
        return response.text();
      };
      const chat = { model: "o4-mini", messages, max_completion_tokens: 4, stream: true as const };
      const northAmerican = await operator.addTenant({ allowCountries: ["US"] });
      const [openai, anthropic, viaOpenai, viaAnthropic] = await Promise.all([
        fetch(`${gateway.url}/v1/chat/completions`, {
          method: "POST",
          headers: { authorization: `Bearer ${northAmerican.key}`, "content-type": "application/json" },
          body: JSON.stringify(chat),
        }).then((response) => response.text()),
        post("/v1/messages", { ...message, max_tokens: 4, stream: true }),
        openaiClient(gateway.url, northAmerican.key).chat.completions.create(chat).then(drain),
        anthropicClient(gateway.url, tenant.key)
          .messages.create({ ...message, max_tokens: 4, stream: true })
          .then(drain),
      ]);
      expect(openai).toMatch(/^: ?.*\n\n/m);
      expect(anthropic.split("event: ping").length).toBeGreaterThan(3);
      expect([viaOpenai.error, viaAnthropic.error]).toEqual([undefined, undefined]);
      expect(viaOpenai.events.length).toBeGreaterThan(2);
      expect(viaAnthropic.events.map((event) => event.type).at(-1)).toBe("message_stop");
    });
  });
}
