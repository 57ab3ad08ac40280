import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { anthropicClient, azureClient, errorOf, openaiClient, recordingFetch, type Exchanged } from "../harness/clients.ts";
import { reached } from "../harness/gateway-under-test.ts";
import type { LimitInput } from "../harness/operator.ts";
import { eventually, receiptOf } from "../harness/receipts.ts";
import { regionsWithin } from "../harness/catalogue.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const chat = { model: "gpt-4.1", max_tokens: 20, messages };
const message = { model: "claude-haiku-4-5", max_tokens: 20, messages };

/** Two a second, one at a time: refused at once, and free again after half a second. */
const twoASecond: LimitInput = { name: "requests-per-minute", unit: "requests", window: "minute", ceiling: 120, burst: 1 };
const oneADay: LimitInput = { name: "requests-per-day", unit: "requests", window: "day", ceiling: 1 };

/** How long the SDK waited between a refusal and its next try, and how long it was told to. */
function wait([first, second]: readonly Exchanged[]): { readonly waitedMs: number; readonly toldMs: number } {
  return {
    waitedMs: (second?.startedAtMs ?? Number.NaN) - (first?.endedAtMs ?? Number.NaN),
    toldMs: Number(first?.headers.get("retry-after-ms")),
  };
}

export function limits(context: () => Context): void {
  describe("a limit a minute", () => {
    test.each(["openai", "azure", "anthropic"] as const)(
      "refuses with RateLimitError, and the SDK for %s waits as long as it is told to, and is answered",
      async (dialect) => {
        const { gateway, operator } = context();
        const tenant = await operator.addTenant({ limits: [twoASecond] });
        const recorded = recordingFetch();
        const ask = async (maxRetries: number): Promise<unknown> => {
          const options = { maxRetries, fetch: recorded.fetch };
          if (dialect === "anthropic") return anthropicClient(gateway.url, tenant.key, options).messages.create(message);
          const client =
            dialect === "openai" ? openaiClient(gateway.url, tenant.key, options) : azureClient(gateway.url, tenant.key, options);
          return client.chat.completions.create(chat);
        };
        await ask(0);
        expect(await errorOf(ask(0))).toBeInstanceOf(dialect === "anthropic" ? Anthropic.RateLimitError : OpenAI.RateLimitError);
        const before = recorded.exchanges.length;
        await ask(2);
        const exchanges = recorded.exchanges.slice(before);
        expect(exchanges.map(({ status, retryCount }) => [status, retryCount])).toEqual([
          [429, "0"],
          [200, "1"],
        ]);
        const { waitedMs, toldMs } = wait(exchanges);
        expect(toldMs).toBeGreaterThan(50);
        expect(toldMs).toBeLessThanOrEqual(500);
        expect(waitedMs).toBeGreaterThanOrEqual(toldMs - 2);
        expect(exchanges[0]?.headers.get("retry-after")).toBe("1");
        const left = dialect === "anthropic" ? "anthropic-ratelimit-requests-remaining" : "x-ratelimit-remaining-requests";
        expect(exchanges.map(({ headers }) => headers.get(left))).toEqual(["0", "0"]);
        expect(exchanges[0]?.headers.get("x-should-retry")).toBeNull();
      },
    );

    test("is shown on every answer as each dialect writes it", async () => {
      const { gateway, operator } = context();
      const perMinute: LimitInput[] = [
        { name: "requests-per-minute", unit: "requests", window: "minute", ceiling: 600 },
        { name: "tokens-per-minute", unit: "tokens", window: "minute", ceiling: 60_000 },
        { name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 70_000 },
      ];
      const { key } = await operator.addTenant({ limits: perMinute });
      const headersOf = async (call: { withResponse(): Promise<{ response: Response }> }) =>
        (await call.withResponse()).response.headers;
      const openai = await headersOf(openaiClient(gateway.url, key).chat.completions.create(chat));
      const azure = await headersOf(azureClient(gateway.url, key).chat.completions.create(chat));
      const anthropic = await headersOf(anthropicClient(gateway.url, key).messages.create(message));
      for (const headers of [openai, azure]) {
        expect(headers.get("x-ratelimit-limit-requests")).toBe("600");
        expect(headers.get("x-ratelimit-limit-tokens")).toBe("60000");
        expect(Number(headers.get("x-ratelimit-remaining-requests"))).toBeLessThan(600);
        expect(Number(headers.get("x-ratelimit-remaining-tokens"))).toBeLessThan(60_000);
      }
      // Answers that reserved nothing show the limits as well: look-ups, and refusals before the reservation.
      const models = await headersOf(openaiClient(gateway.url, key).models.list());
      const unknown = await errorOf(openaiClient(gateway.url, key).chat.completions.create({ ...chat, model: "no-such-model" }));
      expect(models.get("x-ratelimit-limit-requests")).toBe("600");
      expect((unknown as { headers?: Headers }).headers?.get("x-ratelimit-limit-tokens")).toBe("60000");
      expect(openai.get("x-ratelimit-reset-requests")).toMatch(/^(\d+h)?(\d+m)?\d+(\.\d+)?m?s$/);
      expect(azure.get("x-ratelimit-reset-requests")).toMatch(/^\d+$/);
      expect(anthropic.get("anthropic-ratelimit-requests-limit")).toBe("600");
      expect(anthropic.get("anthropic-ratelimit-tokens-limit")).toBe("60000");
      expect(anthropic.get("anthropic-ratelimit-tokens-reset")).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(Date.parse(anthropic.get("anthropic-ratelimit-tokens-reset") ?? "")).toBeGreaterThan(Date.now() - 1_000);
    });

    test("of tokens gives back what was held and not used", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({
        limits: [{ name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 40_000 }],
      });
      const client = openaiClient(gateway.url, tenant.key);
      // Each holds 32,768 tokens of output, so a second one fits only if the first was settled to what it used.
      for (let round = 0; round < 3; round++) await client.chat.completions.create({ model: "gpt-4.1", messages });
      const [used] = await operator.use(tenant.id);
      expect(used?.remaining).toBeGreaterThan(39_000);
      expect(used?.remaining).toBeLessThan(40_000);
    });

    test("that a request can never fit is said so, and is not tried again", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({
        limits: [{ name: "tokens-per-minute", unit: "tokens", window: "minute", ceiling: 100 }],
      });
      const recorded = recordingFetch();
      const client = openaiClient(gateway.url, tenant.key, { maxRetries: 2, fetch: recorded.fetch });
      const error = await errorOf(client.chat.completions.create({ ...chat, max_tokens: 5_000 }));
      expect(error).toBeInstanceOf(OpenAI.RateLimitError);
      expect(error).toMatchObject({ code: "request_exceeds_limit", message: expect.stringContaining("Lower max_tokens") });
      expect(recorded.exchanges.map(({ status }) => status)).toEqual([429]);
    });
  });

  describe("a limit a day", () => {
    test.each(["openai", "azure", "anthropic"] as const)("refuses, and the SDK for %s does not try again", async (dialect) => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ limits: [oneADay] });
      const recorded = recordingFetch();
      const options = { maxRetries: 2, fetch: recorded.fetch };
      const ask = async (): Promise<unknown> => {
        if (dialect === "anthropic") return anthropicClient(gateway.url, tenant.key, options).messages.create(message);
        const client =
          dialect === "openai" ? openaiClient(gateway.url, tenant.key, options) : azureClient(gateway.url, tenant.key, options);
        return client.chat.completions.create(chat);
      };
      await ask();
      const error = await errorOf(ask());
      expect(error).toBeInstanceOf(dialect === "anthropic" ? Anthropic.RateLimitError : OpenAI.RateLimitError);
      if (dialect !== "anthropic") expect(error).toMatchObject({ code: "insufficient_quota" });
      expect(recorded.exchanges.map(({ status }) => status)).toEqual([200, 429]);
      const refused = recorded.exchanges[1]?.headers;
      expect([refused?.get("x-should-retry"), refused?.get("retry-after"), refused?.get("retry-after-ms")]).toEqual([
        "false",
        null,
        null,
      ]);
    });

    test("admits exactly as many of 200 requests at once as it says", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ limits: [{ ...oneADay, ceiling: 25 }] });
      const before = gateway.stats();
      const client = openaiClient(gateway.url, tenant.key);
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, () =>
          client.chat.completions.create(chat).then(
            () => 200,
            (error: unknown) => (error instanceof OpenAI.APIError ? error.status : error),
          ),
        ),
      );
      expect(tally(outcomes)).toEqual({ 200: 25, 429: 175 });
      expect(Object.values(reached(before, gateway.stats())).reduce((sum, requests) => sum + requests, 0)).toBe(25);
      expect(await operator.use(tenant.id)).toMatchObject([{ remaining: 0 }]);
    });
  });

  describe("a budget of a month", () => {
    test("once it is spent, is refused as each dialect says it of money", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ limits: [{ name: "spend", unit: "micro_usd", window: "month", ceiling: 1 }] });
      expect(await errorOf(openaiClient(gateway.url, tenant.key).chat.completions.create(chat))).toMatchObject({
        status: 429,
        type: "insufficient_quota",
      });
      const error = await errorOf(anthropicClient(gateway.url, tenant.key).messages.create(message));
      expect(error).toMatchObject({ status: 402, type: "billing_error" });
    });
  });

  describe("limits that allow slices", () => {
    test("count every request of a busy tenant, to the unit once slices are back, and have its receipt at once", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({
        limits: [
          { name: "requests-per-day", unit: "requests", window: "day", ceiling: 400, slices: true },
          { name: "concurrent", unit: "concurrent", window: "open", ceiling: 1_000, slices: true },
        ],
      });
      const client = openaiClient(gateway.url, tenant.key);
      for (let wave = 0; wave < 4; wave++) {
        const ids = await Promise.all(
          Array.from({ length: 50 }, async () => (await client.chat.completions.create(chat))._request_id ?? ""),
        );
        const receipts = await Promise.all(ids.map((id) => receiptOf(gateway.url, tenant.key, id)));
        expect(receipts.map(({ end }) => end)).toEqual(ids.map(() => "completed"));
      }
      await eventually(async () =>
        expect(await operator.use(tenant.id)).toMatchObject([{ remaining: 200 }, { remaining: 1_000 }]),
      );
    });
  });

  describe("a limit on requests at once", () => {
    test("admits exactly as many of 200 as it says, and takes new ones when those have ended", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({
        allowCountries: ["JP"],
        limits: [{ name: "concurrent", unit: "concurrent", window: "open", ceiling: 10 }],
      });
      const model = "gpt-4o-mini";
      for (const region of regionsWithin(model, ["JP"])) gateway.faults(region, [{ kind: "slow", afterMs: 6_000 }]);
      const client = openaiClient(gateway.url, tenant.key);
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, () =>
          client.chat.completions.create({ ...chat, model }).then(
            () => 200,
            (error: unknown) => (error instanceof OpenAI.APIError ? error.status : error),
          ),
        ),
      );
      expect(tally(outcomes)).toEqual({ 200: 10, 429: 190 });
      for (const region of regionsWithin(model, ["JP"])) gateway.faults(region, []);
      await client.chat.completions.create({ ...chat, model });
      expect(await operator.use(tenant.id)).toMatchObject([{ remaining: 10 }]);
    });
  });
}

function tally(outcomes: readonly unknown[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) counts[String(outcome)] = (counts[String(outcome)] ?? 0) + 1;
  return counts;
}
