import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dialectOf } from "../../src/dialect/dialects.ts";
import { goDuration } from "../../src/dialect/go-duration.ts";
import type { HeaderList } from "../../src/edge.ts";
import type { LimitUnit, LimitWindow } from "../../src/tenant/limit-setting.ts";
import type { LimitState } from "../../src/quota/store.ts";

function state(unit: LimitUnit, window: LimitWindow, capacity: number, remaining: number, resetMs: number): LimitState {
  const setting = {
    name: `${unit}-${window}`,
    unit,
    window,
    ceiling: capacity,
    burst: undefined,
    key: undefined,
    model: undefined,
  };
  return { limit: { setting, counter: setting.name }, capacity, remaining, resetMs };
}

function pairs(headers: HeaderList): Record<string, string> {
  const found: Record<string, string> = {};
  for (let index = 0; index < headers.length; index += 2) found[headers[index] as string] = headers[index + 1] as string;
  return found;
}

const nowMs = Date.parse("2026-11-20T10:00:00.250Z");
const states = [
  state("requests", "minute", 100, 99, 547),
  state("tokens", "minute", 40_000, 12_345, 172_800),
  state("tokens", "minute", 9_000, 8_000, 10),
  state("tokens", "day", 50, 5, 86_400_000),
  state("micro_usd", "month", 7, 7, 1),
  state("concurrent", "open", 3, 2, 0),
];

describe("rate headers", () => {
  test("OpenAI's resets are Go durations", () => {
    expect(pairs(dialectOf("openai").rateHeaders(states, nowMs))).toEqual({
      "x-ratelimit-limit-requests": "100",
      "x-ratelimit-remaining-requests": "99",
      "x-ratelimit-reset-requests": "547ms",
      "x-ratelimit-limit-tokens": "9000",
      "x-ratelimit-remaining-tokens": "8000",
      "x-ratelimit-reset-tokens": "10ms",
    });
  });

  test("Azure's resets are whole seconds, rounded up", () => {
    expect(pairs(dialectOf("azure").rateHeaders(states, nowMs))).toEqual({
      "x-ratelimit-limit-requests": "100",
      "x-ratelimit-remaining-requests": "99",
      "x-ratelimit-reset-requests": "1",
      "x-ratelimit-limit-tokens": "9000",
      "x-ratelimit-remaining-tokens": "8000",
      "x-ratelimit-reset-tokens": "1",
    });
  });

  test("Anthropic's resets are instants in RFC 3339, rounded up to seconds", () => {
    expect(pairs(dialectOf("anthropic").rateHeaders(states, nowMs))).toEqual({
      "anthropic-ratelimit-requests-limit": "100",
      "anthropic-ratelimit-requests-remaining": "99",
      "anthropic-ratelimit-requests-reset": "2026-11-20T10:00:01Z",
      "anthropic-ratelimit-tokens-limit": "9000",
      "anthropic-ratelimit-tokens-remaining": "8000",
      "anthropic-ratelimit-tokens-reset": "2026-11-20T10:00:01Z",
    });
  });

  test("of several limits of one unit the one with least left is shown, and of equals the slower", () => {
    const shown = pairs(
      dialectOf("openai").rateHeaders(
        [state("tokens", "minute", 5, 3, 9), state("tokens", "minute", 7, 3, 90), state("tokens", "minute", 8, 4, 900)],
        nowMs,
      ),
    );
    expect(shown).toMatchObject({
      "x-ratelimit-limit-tokens": "7",
      "x-ratelimit-remaining-tokens": "3",
      "x-ratelimit-reset-tokens": "90ms",
    });
  });

  test("a limit that was overrun shows nothing left, never less", () => {
    for (const name of ["openai", "azure", "anthropic"] as const) {
      const shown = Object.values(pairs(dialectOf(name).rateHeaders([state("requests", "minute", 5, -3, -1)], nowMs)));
      expect(shown.slice(0, 2)).toEqual(["5", "0"]);
      expect(shown.join()).not.toContain("-3");
    }
  });

  test("without a minute limit there is nothing to show", () => {
    for (const name of ["openai", "azure", "anthropic"] as const) {
      expect(dialectOf(name).rateHeaders([], nowMs)).toEqual([]);
      expect(dialectOf(name).rateHeaders(states.slice(3), nowMs)).toEqual([]);
    }
  });
});

describe("Go durations", () => {
  // From Go's own `time.Duration.String`.
  test.each([
    [0, "0s"],
    [-5, "0s"],
    [1, "1ms"],
    [0.2, "1ms"],
    [547, "547ms"],
    [999, "999ms"],
    [1_000, "1s"],
    [1_001, "1.001s"],
    [1_010, "1.01s"],
    [2_200, "2.2s"],
    [59_999, "59.999s"],
    [60_000, "1m0s"],
    [172_800, "2m52.8s"],
    [360_000, "6m0s"],
    [3_599_999, "59m59.999s"],
    [3_600_000, "1h0m0s"],
    [3_661_001, "1h1m1.001s"],
    [86_400_000, "24h0m0s"],
    [360_000_500, "100h0m0.5s"],
  ])("%d ms are %s", (durationMs, text) => {
    expect(goDuration(durationMs)).toBe(text);
  });

  test("a duration reads back as the same number of milliseconds", () => {
    const units: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
    fc.assert(
      fc.property(fc.nat(2_000_000_000), (durationMs) => {
        const parts = goDuration(durationMs).matchAll(/([\d.]+)(ms|[hms])/g);
        let sum = 0;
        for (const [, number, unit] of parts) sum += Number(number) * (units[unit as string] as number);
        expect(Math.round(sum)).toBe(durationMs);
      }),
    );
  });
});
