import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import type { Fault } from "../../../src/simulator/faults.ts";
import { anthropicClient, azureClient, drain, errorOf, openaiClient, recordingFetch } from "../harness/clients.ts";
import { regionsWithin } from "../harness/catalogue.ts";
import { reached } from "../harness/gateway-under-test.ts";
import type { TestTenant } from "../harness/operator.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

/** Deadlines that a test can wait for. */
export const shortDeadlines: Readonly<Record<string, string>> = {
  STRAIT_CONNECT_MS: "2000",
  STRAIT_FIRST_BYTE_MS: "500",
  STRAIT_IDLE_MS: "700",
  STRAIT_HOLD_MS: "300",
  STRAIT_TOTAL_MS: "5000",
  STRAIT_KEEP_ALIVE_MS: "100",
};

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const message = { model: "claude-haiku-4-5", max_tokens: 50, messages };

/** Where a test works: two regions of its own, for what a gateway learns of a deployment's health outlives the test. */
interface Place {
  readonly model: string;
  readonly countries: readonly [string, string];
}

interface Broken extends Place {
  readonly fault: Fault;
  /** A whole answer may take its time: only a stream's first byte has a deadline of its own. */
  readonly stream?: boolean;
  /** What the receipt says of the attempt that failed. */
  readonly outcome: string;
}

/** What an upstream may do before anything of its answer was sent on: each is got over at another deployment. */
const before: Readonly<Record<string, Broken>> = {
  "answers 500": { model: "gpt-4o", countries: ["KR", "NO"], fault: { kind: "status", status: 500 }, outcome: "status_500" },
  "answers 503": { model: "gpt-4o", countries: ["BR", "CA"], fault: { kind: "status", status: 503 }, outcome: "status_503" },
  "answers 429": {
    model: "gpt-4o",
    countries: ["FR", "DE"],
    fault: { kind: "status", status: 429, retryAfterSeconds: 1 },
    outcome: "status_429",
  },
  "does not take our credential": {
    model: "gpt-4o",
    countries: ["PL", "ZA"],
    fault: { kind: "status", status: 401 },
    outcome: "status_401",
  },
  "does not know its deployment": {
    model: "gpt-4o",
    countries: ["IN", "ES"],
    fault: { kind: "status", status: 404 },
    outcome: "status_404",
  },
  redirects: {
    model: "gpt-4o",
    countries: ["CH", "AE"],
    fault: { kind: "redirect", location: "http://127.0.0.1:1/" },
    outcome: "status_307",
  },
  "resets the connection": { model: "gpt-4o-mini", countries: ["KR", "IN"], fault: { kind: "reset" }, outcome: "reset" },
  "says nothing": {
    model: "gpt-4o-mini",
    countries: ["BR", "CA"],
    fault: { kind: "stall" },
    stream: true,
    outcome: "first_byte_deadline",
  },
};

export function faults(context: () => Context): void {
  const tenantOf = ({ countries }: Pick<Place, "countries">): Promise<TestTenant> =>
    context().operator.addTenant({ allowCountries: countries });

  /** Calls until the broken region was tried; every call must be answered, and only from within the permit. */
  async function untilTried(
    { model, countries }: Place,
    fault: Fault,
    stream: boolean,
  ): Promise<{ requestId: string; tenant: TestTenant; healthy: string }> {
    const { gateway } = context();
    const tenant = await tenantOf({ countries });
    const permitted = regionsWithin(model, countries);
    const [broken = "", healthy = ""] = permitted;
    gateway.faults(broken, [fault]);
    const client = openaiClient(gateway.url, tenant.key);
    for (let round = 0; round < 20; round++) {
      const start = gateway.stats();
      const call = await client.chat.completions.create({ model, messages, stream: stream as true }).withResponse();
      if (stream) expect((await drain(call.data)).error).toBeUndefined();
      expect(call.response.headers.get("x-strait-region")).toBe(healthy);
      const tried = reached(start, gateway.stats());
      expect(permitted).toEqual(expect.arrayContaining(Object.keys(tried)));
      if (tried[broken] !== undefined) return { requestId: call.response.headers.get("x-request-id") ?? "", tenant, healthy };
    }
    throw new Error(`${broken} was never tried`);
  }

  describe("before anything was sent on, a deployment that", () => {
    test.each(Object.entries(before))(
      "%s is passed over for another that is permitted",
      async (_what, { fault, outcome, stream = false, ...place }) => {
        const { requestId, tenant, healthy } = await untilTried(place, fault, stream);
        const receipt = await receiptOf(context().gateway.url, tenant.key, requestId);
        expect(receipt.attempts.map((attempt) => attempt.outcome)).toEqual([outcome, "answered"]);
        expect(receipt).toMatchObject({ end: "completed", region: healthy, status: 200 });
      },
    );

    test("refuses with status 200 in its stream is passed over for another that is permitted", async () => {
      const place: Place = { model: "gpt-4.1-mini", countries: ["KR", "GB"] };
      const { requestId, tenant } = await untilTried(
        place,
        { kind: "refusal-200", code: "rate_limit_exceeded", retryAfterMs: 100 },
        true,
      );
      const receipt = await receiptOf(context().gateway.url, tenant.key, requestId);
      expect(receipt.attempts.map((attempt) => attempt.outcome)).toEqual(["refused_in_stream:rate_limit_exceeded", "answered"]);
    });
  });

  describe("where no permitted deployment answers", () => {
    test("because all fail, each dialect is told so, and that it may try again", async () => {
      const { gateway } = context();
      const place: Place = { model: "o4-mini", countries: ["JP", "SE"] };
      const tenant = await tenantOf(place);
      for (const region of regionsWithin(place.model, place.countries)) gateway.faults(region, [{ kind: "status", status: 500 }]);
      gateway.faults("anthropic-us", [{ kind: "status", status: 500, times: 1 }]);
      const request = { model: place.model, messages };
      const start = gateway.stats();
      const openai = await errorOf(openaiClient(gateway.url, tenant.key).chat.completions.create(request));
      expect(openai).toBeInstanceOf(OpenAI.InternalServerError);
      expect(openai).toMatchObject({ status: 502, code: "upstream_failed", type: "server_error" });
      const azure = await errorOf(azureClient(gateway.url, tenant.key).chat.completions.create(request));
      expect(azure).toMatchObject({ status: 502, code: "upstream_failed" });
      const anthropic = await errorOf(anthropicClient(gateway.url, context().tenant.key).messages.create(message));
      expect(anthropic).toMatchObject({ status: 502, type: "api_error" });
      expect([...regionsWithin(place.model, place.countries), "anthropic-us"]).toEqual(
        expect.arrayContaining(Object.keys(reached(start, gateway.stats()))),
      );
      for (const error of [openai, azure, anthropic]) {
        expect((error as { headers: Headers }).headers.get("x-should-retry")).toBeNull();
        // The upstream's own words are not the client's to read.
        expect(String(error)).not.toContain("Simulated fault");
      }
    });

    test("because all are full, each dialect is told when to come back", async () => {
      const { gateway } = context();
      const place: Place = { model: "gpt-4o-mini", countries: ["FR", "DE"] };
      const tenant = await tenantOf(place);
      const full: Fault = { kind: "status", status: 429, retryAfterSeconds: 7 };
      for (const region of [...regionsWithin(place.model, place.countries), "anthropic-us"]) gateway.faults(region, [full]);
      const request = { model: place.model, messages };
      const openai = await errorOf(openaiClient(gateway.url, tenant.key).chat.completions.create(request));
      expect(openai).toMatchObject({ status: 503, code: "upstream_busy" });
      const azure = await errorOf(azureClient(gateway.url, tenant.key).chat.completions.create(request));
      expect(azure).toMatchObject({ status: 503, code: "ServiceUnavailable" });
      // By a model of its own, because what the last one learnt of these deployments holds for seven seconds.
      const anthropic = await errorOf(
        anthropicClient(gateway.url, context().tenant.key).messages.create({ ...message, model: "claude-sonnet-4-5" }),
      );
      expect(anthropic).toMatchObject({ status: 529, type: "overloaded_error" });
      for (const error of [openai, azure, anthropic]) {
        const { headers } = error as { headers: Headers };
        expect(Number(headers.get("retry-after-ms"))).toBeGreaterThan(4_000);
        expect(Number(headers.get("retry-after-ms"))).toBeLessThanOrEqual(7_000);
        expect(headers.get("retry-after")).toMatch(/^[5-7]$/);
      }
      // Asked to be left alone, they are: nothing is sent to them now.
      const start = gateway.stats();
      expect(await errorOf(openaiClient(gateway.url, tenant.key).chat.completions.create(request))).toMatchObject({
        status: 503,
      });
      expect(reached(start, gateway.stats())).toEqual({});
    });

    test("in time, the client is told which deadline passed, and is charged nothing for a stream that never began", async () => {
      const { gateway } = context();
      const place: Place = { model: "gpt-4.1", countries: ["JP", "AU"] };
      const tenant = await tenantOf(place);
      for (const region of regionsWithin(place.model, place.countries)) gateway.faults(region, [{ kind: "stall" }]);
      const client = openaiClient(gateway.url, tenant.key);
      const request = { model: place.model, max_tokens: 50, messages };
      const [stream, whole] = await Promise.all([
        errorOf(client.chat.completions.create({ ...request, stream: true })),
        errorOf(client.chat.completions.create(request)),
      ]);
      expect(stream).toMatchObject({ status: 504, code: "upstream_timeout", message: expect.stringContaining("first-byte") });
      expect(whole).toMatchObject({ status: 504, code: "upstream_timeout", message: expect.stringContaining("total") });
      const ofStream = await receiptOf(gateway.url, tenant.key, (stream as { requestID: string }).requestID);
      expect(ofStream).toMatchObject({ end: "upstream_failed", chargedTokens: 0, costMicroUsd: 0, usageSource: "none" });
      // What may have been worked on for so long may have to be paid for: nothing is known, so the hold stands.
      const ofWhole = await receiptOf(gateway.url, tenant.key, (whole as { requestID: string }).requestID);
      expect(ofWhole).toMatchObject({ end: "deadline_passed", usageSource: "held", chargedTokens: ofWhole.heldTokens });
    });
  });

  describe("a failure of all deployments that passes", () => {
    test("is got over by the SDK's own retry", async () => {
      const { gateway } = context();
      const place: Place = { model: "gpt-4.1-mini", countries: ["JP", "SE"] };
      const tenant = await tenantOf(place);
      const regions = regionsWithin(place.model, place.countries);
      for (const region of regions) gateway.faults(region, [{ kind: "status", status: 500, times: 1 }]);
      const recorded = recordingFetch();
      const client = openaiClient(gateway.url, tenant.key, { maxRetries: 2, fetch: recorded.fetch });
      const { response } = await client.chat.completions.create({ model: place.model, messages }).withResponse();
      expect(regions).toContain(response.headers.get("x-strait-region"));
      expect(recorded.exchanges.map(({ status }) => status)).toEqual([502, 200]);
    });
  });

  describe("a fault of the request's own", () => {
    test("that the upstream found is told as the upstream told it, and no other deployment is asked", async () => {
      const { gateway } = context();
      const place: Place = { model: "gpt-4o-mini", countries: ["PL", "ZA"] };
      const tenant = await tenantOf(place);
      for (const region of regionsWithin(place.model, place.countries)) {
        gateway.faults(region, [{ kind: "status", status: 400, code: "context_length_exceeded", message: "Too long." }]);
      }
      const start = gateway.stats();
      const error = await errorOf(
        openaiClient(gateway.url, tenant.key).chat.completions.create({ model: place.model, messages }),
      );
      expect(error).toBeInstanceOf(OpenAI.BadRequestError);
      expect(error).toMatchObject({ code: "context_length_exceeded", message: expect.stringContaining("Too long.") });
      expect(Object.values(reached(start, gateway.stats()))).toEqual([1]);
    });
  });
}
