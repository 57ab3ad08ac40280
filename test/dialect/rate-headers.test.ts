import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dialectOf } from "../../src/dialect/dialects.ts";
import { rateLimitFields } from "../../src/dialect/rate-limit-fields.ts";
import { periodsAround } from "../../src/tenant/periods.ts";
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
  return { limit: { setting, counter: setting.name, periods: [] }, capacity, remaining, resetMs };
}

function pairs(headers: HeaderList): Record<string, string> {
  const found: Record<string, string> = {};
  for (let index = 0; index < headers.length; index += 2) found[headers[index] as string] = headers[index + 1] as string;
  return found;
}

/** Without the IETF's fields, which have tests of their own. */
function own(headers: HeaderList): Record<string, string> {
  const { ratelimit: _, "ratelimit-policy": __, ...rest } = pairs(headers);
  return rest;
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
    expect(own(dialectOf("openai").rateHeaders(states, nowMs))).toEqual({
      "x-ratelimit-limit-requests": "100",
      "x-ratelimit-remaining-requests": "99",
      "x-ratelimit-reset-requests": "547ms",
      "x-ratelimit-limit-tokens": "9000",
      "x-ratelimit-remaining-tokens": "8000",
      "x-ratelimit-reset-tokens": "10ms",
    });
  });

  test("Azure's resets are whole seconds, rounded up", () => {
    expect(own(dialectOf("azure").rateHeaders(states, nowMs))).toEqual({
      "x-ratelimit-limit-requests": "100",
      "x-ratelimit-remaining-requests": "99",
      "x-ratelimit-reset-requests": "1",
      "x-ratelimit-limit-tokens": "9000",
      "x-ratelimit-remaining-tokens": "8000",
      "x-ratelimit-reset-tokens": "1",
    });
  });

  test("Anthropic's resets are instants in RFC 3339, rounded up to seconds", () => {
    expect(own(dialectOf("anthropic").rateHeaders(states, nowMs))).toEqual({
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
      const shown = Object.values(own(dialectOf(name).rateHeaders([state("requests", "minute", 5, -3, -1)], nowMs)));
      expect(shown.slice(0, 2)).toEqual(["5", "0"]);
      expect(shown.join()).not.toContain("-3");
    }
  });

  test("without a minute limit there is nothing to show", () => {
    for (const name of ["openai", "azure", "anthropic"] as const) {
      expect(dialectOf(name).rateHeaders([], nowMs)).toEqual([]);
      expect(own(dialectOf(name).rateHeaders(states.slice(3), nowMs))).toEqual({});
    }
  });
});

test("a limit in shadow mode is in no header, for it stops nobody", () => {
  for (const name of ["openai", "azure", "anthropic"] as const) {
    const shadows = states.map((one) => ({ ...one, limit: { ...one.limit, setting: { ...one.limit.setting, shadow: true } } }));
    expect(dialectOf(name).rateHeaders(shadows, nowMs)).toEqual([]);
  }
});

test("Anthropic shows input and output apart where they have limits of their own", () => {
  const shown = own(
    dialectOf("anthropic").rateHeaders(
      [state("input_tokens", "minute", 9, 4, 1_000), state("output_tokens", "minute", 8, 3, 0)],
      nowMs,
    ),
  );
  expect(shown).toEqual({
    "anthropic-ratelimit-input-tokens-limit": "9",
    "anthropic-ratelimit-input-tokens-remaining": "4",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-20T10:00:02Z",
    "anthropic-ratelimit-output-tokens-limit": "8",
    "anthropic-ratelimit-output-tokens-remaining": "3",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-20T10:00:01Z",
  });
});

describe("the IETF's RateLimit fields", () => {
  const fields = (list: readonly LimitState[]): Record<string, string> => pairs(rateLimitFields(list, nowMs));
  const on = (window: "day" | "month", timeZone: string): LimitState => {
    const shown = state("requests", window, 1_000, 400, 3_600_500);
    return { ...shown, limit: { ...shown.limit, periods: periodsAround(window, timeZone, nowMs) } };
  };

  test("show every limit on requests and on requests at once, and none on what has no registered unit", () => {
    expect(fields([...states, on("day", "UTC")])).toEqual({
      "ratelimit-policy":
        '"requests-minute";q=100;w=60,"concurrent-open";q=3;qu="concurrent-requests","requests-day";q=1000;w=86400',
      ratelimit: '"requests-minute";r=99;t=1,"concurrent-open";r=2;t=0,"requests-day";r=400;t=3601',
    });
    expect(fields(states.slice(1, 5))).toEqual({});
  });

  test("tell a burst as what it is: so many, back in so long", () => {
    const burst = state("requests", "minute", 500, 500, 0);
    const of = { ...burst, limit: { ...burst.limit, setting: { ...burst.limit.setting, ceiling: 100 } } };
    expect(fields([of])["ratelimit-policy"]).toBe('"requests-minute";q=500;w=300');
    const never = { ...burst, limit: { ...burst.limit, setting: { ...burst.limit.setting, ceiling: 0 } } };
    expect(fields([never])["ratelimit-policy"]).toBe('"requests-minute";q=500');
  });

  test("give a day and a month their length on the tenant's calendar", () => {
    expect(fields([on("month", "UTC")])["ratelimit-policy"]).toBe(`"requests-month";q=1000;w=${30 * 86_400}`);
    // Clocks went back on the first of November there.
    expect(fields([on("month", "America/New_York")])["ratelimit-policy"]).toBe(
      `"requests-month";q=1000;w=${30 * 86_400 + 3_600}`,
    );
  });

  test("hold no number and no name that a structured field could not", () => {
    const large = state("requests", "minute", 2 ** 52, -5, 2 ** 52);
    const of = { ...large, limit: { ...large.limit, setting: { ...large.limit.setting, name: 'a"b\\c\u00e9' } } };
    expect(fields([of]).ratelimit).toBe(`"a_b_c_";r=0;t=${Math.ceil(2 ** 52 / 1_000)}`);
    expect(fields([of])["ratelimit-policy"]).toBe('"a_b_c_";q=999999999999999;w=60');
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
