import { describe, expect, test } from "vitest";
import type { DialectName } from "../../src/dialect/dialect.ts";
import { dialectOf } from "../../src/dialect/dialects.ts";
import { headerValue } from "../../src/edge.ts";
import { describeRefusal } from "../../src/describe-refusal.ts";
import { longestRetryAfterMs } from "../../src/refusal-parts.ts";
import type { Refusal } from "../../src/refusal.ts";
import { everyRefusal, refusalCases } from "./refusal-cases.ts";

const names: readonly DialectName[] = ["openai", "azure", "anthropic"];

interface Shown {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Record<string, unknown>;
}

function show(name: DialectName, refusal: Refusal): Shown {
  const { status, headers, body } = dialectOf(name).error(refusal, "req_1");
  return {
    status,
    header: (header) => headerValue(headers, header),
    body: JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>,
  };
}

const limit = { limitedBy: "tenant", limit: "l", ceiling: 10, asked: 5, remaining: 1 } as const;

describe("every refusal in every dialect", () => {
  test.each(Object.values(refusalCases))(
    "$refusal.kind reads in OpenAI's dialect as it should",
    ({ refusal, openai: [status, type, code], param }) => {
      const shown = show("openai", refusal);
      expect(shown.status).toBe(status);
      expect(shown.body).toEqual({ error: { message: expect.stringMatching(/.{10}/), type, param: param ?? null, code } });
    },
  );

  test.each(Object.values(refusalCases))(
    "$refusal.kind reads in Azure's dialect as it should",
    ({ refusal, openai: [, type], azure: [status, code], param }) => {
      const shown = show("azure", refusal);
      expect(shown.status).toBe(status);
      expect(shown.body).toEqual({ error: { code, message: expect.stringMatching(/.{10}/), type, param: param ?? null } });
    },
  );

  test.each(Object.values(refusalCases))(
    "$refusal.kind reads in Anthropic's dialect as it should",
    ({ refusal, anthropic: [status, type] }) => {
      const shown = show("anthropic", refusal);
      expect(shown.status).toBe(status);
      expect(shown.body).toEqual({
        type: "error",
        error: { type, message: expect.stringMatching(/.{10}/) },
        request_id: "req_1",
      });
    },
  );

  test.each(Object.values(refusalCases))(
    "$refusal.kind tells clients when to come back, and tells nothing else",
    ({ refusal, retry }) => {
      for (const name of names) {
        const { header } = show(name, refusal);
        expect(header("content-type")).toBe("application/json");
        expect(header("x-should-retry")).toBe(retry === "never" ? "false" : undefined);
        const delay: unknown = { never: undefined, as_usual: undefined, after: expect.stringMatching(/^[1-9]\d*$/) }[retry];
        expect([header("retry-after"), header("retry-after-ms")]).toEqual([delay, delay]);
      }
    },
  );

  test("a request that can never succeed unchanged is never retried, and every other refusal below 500 says when", () => {
    const answers = everyRefusal.map((refusal) => describeRefusal(refusal));
    expect(new Set(answers.filter(({ status }) => status < 500).map(({ advice }) => advice.retry))).toEqual(
      new Set(["never", "after"]),
    );
    expect(new Set(answers.filter(({ status }) => status < 429).map(({ advice }) => advice.retry))).toEqual(new Set(["never"]));
  });
});

describe("delays", () => {
  const after = (retryAfterMs: number): Refusal => ({
    kind: "limit_reached",
    ...limit,
    unit: "requests",
    window: "minute",
    retryAfterMs,
  });

  test.each([
    [1, "1", "1"],
    [999.2, "1000", "1"],
    [1_000, "1000", "1"],
    [1_001, "1001", "2"],
    [0, "1", "1"],
    [59_999, "59999", "60"],
    [60_000, "60000", "60"],
  ])("%d ms are rounded up, to %s ms and %s s", (delayMs, ms, seconds) => {
    for (const name of names) {
      const { header } = show(name, after(delayMs));
      expect([header("retry-after-ms"), header("retry-after"), header("x-should-retry")]).toEqual([ms, seconds, undefined]);
    }
  });

  test("beyond a minute no delay is sent, for one SDK ignores it and another sleeps however long it is", () => {
    for (const refusal of [
      after(longestRetryAfterMs + 1),
      { kind: "no_deployment_available", retryAfterMs: 3_600_000 } as const,
    ]) {
      const { header } = show("anthropic", refusal);
      expect([header("retry-after-ms"), header("retry-after"), header("x-should-retry")]).toEqual([
        undefined,
        undefined,
        "false",
      ]);
    }
  });
});

describe("limits", () => {
  test.each(["day", "month"] as const)("a limit of a %s is a quota, not a rate, and is not retried", (window) => {
    for (const unit of ["requests", "tokens", "micro_usd"] as const) {
      const refusal: Refusal = { kind: "limit_reached", ...limit, unit, window, retryAfterMs: 1_000 };
      expect(show("openai", refusal)).toMatchObject({
        status: 429,
        body: { error: { type: "insufficient_quota", code: "insufficient_quota" } },
      });
      expect(show("azure", refusal)).toMatchObject({ status: 429, body: { error: { code: "insufficient_quota" } } });
      const [status, type] = unit === "micro_usd" ? [402, "billing_error"] : [429, "rate_limit_error"];
      expect(show("anthropic", refusal)).toMatchObject({ status, body: { error: { type } } });
      for (const name of names) expect(show(name, refusal).header("x-should-retry")).toBe("false");
    }
  });

  test("money is told in dollars, exactly", () => {
    const message = (ceiling: number): string =>
      describeRefusal({ kind: "never_fits", ...limit, unit: "micro_usd", window: "month", ceiling }).message;
    expect(message(1_500_000)).toContain("over 1.5 USD a month");
    expect(message(2_000_000_000)).toContain("over 2000 USD a month");
    expect(message(1)).toContain("over 0.000001 USD a month");
    expect(message(10)).toContain("over 0.00001 USD a month");
  });

  test("a limit's message names it, whose it is, and how much is left, but never less than nothing", () => {
    const { message } = describeRefusal({
      kind: "limit_reached",
      ...limit,
      remaining: -7,
      unit: "tokens",
      window: "minute",
      retryAfterMs: 1_500,
    });
    expect(message).toBe(
      'Limit reached: 10 tokens a minute (limit "l", set for the tenant). This request may need 5, 0 remain. Try again in 2 s.',
    );
  });
});

test("a wrong method is told the right ones, and a missing key the scheme", () => {
  for (const name of names) {
    expect(show(name, { kind: "method_not_allowed", allow: "GET, POST" }).header("allow")).toBe("GET, POST");
    expect(show(name, { kind: "missing_key" }).header("www-authenticate")).toBe("Bearer");
    expect(show(name, { kind: "route_not_found" }).header("allow")).toBeUndefined();
    expect(show(name, { kind: "route_not_found" }).header("www-authenticate")).toBeUndefined();
  }
});

test("what a client wrote comes back shortened, so that an error is no megabyte", () => {
  const long = "x".repeat(1_000_000);
  const refusals: readonly Refusal[] = [
    { kind: "unsupported_content_type", contentType: long },
    { kind: "unsupported_content_encoding", encoding: long },
    { kind: "duplicate_key", param: long },
    { kind: "unsupported_field", param: long, detail: "x." },
    { kind: "model_not_found", model: long },
    { kind: "surface_not_served", model: long, surface: "embeddings" },
    { kind: "fact_unknown", model: long, fact: "x" },
    { kind: "response_not_found", id: long },
    { kind: "receipt_not_found", id: long },
  ];
  for (const refusal of refusals)
    for (const name of names) expect(dialectOf(name).error(refusal, "r").body.length).toBeLessThan(1_000);
});

test("every message is whole sentences, without a template's leavings", () => {
  for (const refusal of everyRefusal) {
    const { message } = describeRefusal(refusal);
    expect(message).toMatch(/^[A-Z].*[.)]$/);
    expect(message).not.toMatch(/undefined|null|NaN|\[object|\.\.|\$\{/);
  }
});
