import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ceilDivide } from "../../src/quota/ceil-divide.ts";
import {
  advance,
  amountOf,
  bucketScale,
  capacityOf,
  counterKey,
  freshCounter,
  judge,
  longestWaitMs,
  place,
  scopeOf,
  settleHold,
  settleLate,
  standing,
  type CounterState,
} from "../../src/quota/counter.ts";
import { periodsOf } from "../../src/quota/limit.ts";
import { limitUnits, type LimitSetting } from "../../src/tenant/limit-setting.ts";

function setting(
  window: LimitSetting["window"],
  ceiling: number,
  burst?: number,
  unit: LimitSetting["unit"] = "tokens",
): LimitSetting {
  return { name: "limit", unit, window, ceiling, burst, key: undefined, model: undefined };
}

/** Lets time pass, by the calendar of UTC. */
function pass(state: CounterState, limit: LimitSetting, nowMs: number): void {
  advance(state, limit.window, periodsOf(limit, undefined, nowMs), nowMs);
}

/** Judges and, where it fits, places; as a store does. */
function ask(state: CounterState, limit: LimitSetting, asked: number, nowMs: number) {
  pass(state, limit, nowMs);
  state.rate = limit.ceiling;
  const verdict = judge(state, limit, asked, nowMs);
  return { verdict, hold: verdict.fits ? place(state, limit, asked, false) : undefined };
}

describe("ceilDivide", () => {
  it("is exact where the float quotient is not", () => {
    expect(ceilDivide(9_007_199_254_000_001, 1_000_000)).toBe(9_007_199_255);
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 2 ** 31 }), (numerator, denominator) => {
        expect(BigInt(ceilDivide(numerator, denominator))).toBe(
          (BigInt(numerator) + BigInt(denominator) - 1n) / BigInt(denominator),
        );
      }),
    );
  });
});

describe("a bucket", () => {
  it("waits exactly as long as it says, for any state", () => {
    fc.assert(
      fc.property(
        fc.record({ ceiling: fc.integer({ min: 1, max: 1e9 }), burst: fc.integer({ min: 1, max: 1e10 }) }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        ({ ceiling, burst }, filled, share) => {
          const limit = setting("minute", ceiling, burst);
          const used = Math.floor(burst * filled) * bucketScale + 17;
          const asked = Math.max(1, Math.floor(burst * share));
          const verdict = judge({ used, held: 0, mark: 0, rate: ceiling, endsMs: 0 }, limit, asked, 0);
          fc.pre(!verdict.fits && verdict.retryAfterMs < longestWaitMs);
          const at = (nowMs: number): boolean => {
            const state = { used, held: 0, mark: 0, rate: ceiling, endsMs: 0 };
            advance(state, "minute", [], nowMs);
            return judge(state, limit, asked, nowMs).fits;
          };
          expect(at(verdict.retryAfterMs)).toBe(true);
          expect(at(verdict.retryAfterMs - 1)).toBe(false);
        },
      ),
    );
  });

  it("is whole again exactly when it says", () => {
    const state: CounterState = { used: 0, held: 0, mark: 0, rate: 0, endsMs: 0 };
    const limit = setting("minute", 7, 100);
    const { hold } = ask(state, limit, 100, 0);
    if (hold !== undefined) settleHold(state, hold, 100, 0);
    const { resetMs } = standing(state, limit, 0);
    expect(resetMs).toBe(Math.ceil((100 * 60_000) / 7));
    advance(state, "minute", [], resetMs - 1);
    expect(state.used).toBeGreaterThan(0);
    advance(state, "minute", [], resetMs);
    expect(state.used).toBe(0);
  });

  it("rounds a part of a unit up to a whole one, against the one who asks", () => {
    const state: CounterState = { used: 1, held: 0, mark: 0, rate: 10, endsMs: 0 };
    expect(standing(state, setting("minute", 10), 0).remaining).toBe(9);
    expect(judge(state, setting("minute", 10), 10, 0)).toEqual({ fits: false, neverFits: false, retryAfterMs: 1 });
  });

  it("leaks the same in one step as in many", () => {
    fc.assert(
      fc.property(fc.nat(1e12), fc.integer({ min: 0, max: 1e6 }), fc.array(fc.nat(5_000)), (used, rate, steps) => {
        const many = { used, held: 0, mark: 0, rate, endsMs: 0 };
        let nowMs = 0;
        for (const step of steps) advance(many, "minute", [], (nowMs += step));
        const once = { used, held: 0, mark: 0, rate, endsMs: 0 };
        advance(once, "minute", [], nowMs);
        expect(many).toEqual(once);
      }),
    );
  });

  it("leaks what passed at the ceiling of that time, and judges at the new one", () => {
    const state = freshCounter();
    const first = ask(state, setting("minute", 60, 1_000), 1_000, 0);
    if (first.hold !== undefined) settleHold(state, first.hold, 1_000, 0);
    // Ten seconds at 60 a minute leak 10, whatever the ceiling is now.
    const raised = setting("minute", 60_000, 1_000);
    expect(ask(state, raised, 11, 10_000).verdict.fits).toBe(false);
    expect(ask(state, raised, 10, 10_000).verdict.fits).toBe(true);
  });

  it("stays exact after a year of silence and at the largest ceiling", () => {
    const ceiling = Math.floor(2 ** 53 / bucketScale);
    const state: CounterState = { used: ceiling * bucketScale, held: 0, mark: 0, rate: ceiling, endsMs: 0 };
    advance(state, "minute", [], 365 * 86_400_000);
    expect(state.used).toBe(0);
  });

  it("does not overflow when it is charged beyond all reason", () => {
    const state = freshCounter();
    const { hold } = ask(state, setting("minute", 10), 1, 0);
    if (hold !== undefined) settleHold(state, hold, Number.MAX_SAFE_INTEGER, 0);
    expect(Number.isSafeInteger(state.used)).toBe(true);
    expect(judge(state, setting("minute", 10), 1, 0).fits).toBe(false);
  });

  it("that never refills says so by the longest wait there is", () => {
    const limit = setting("minute", 0, 5);
    const state = freshCounter();
    const { hold } = ask(state, limit, 5, 0);
    if (hold !== undefined) settleHold(state, hold, 5, 0);
    expect(ask(state, limit, 1, 1e12).verdict).toEqual({ fits: false, neverFits: false, retryAfterMs: longestWaitMs });
    expect(ask(freshCounter(), setting("minute", 0), 1, 0).verdict.neverFits).toBe(true);
  });

  it("asks to come back after a second at least when open requests hold what is missing", () => {
    const state = freshCounter();
    const limit = setting("minute", 600, 600);
    ask(state, limit, 600, 0);
    expect(ask(state, limit, 1, 0).verdict.retryAfterMs).toBe(1_000);
  });
});

describe("a calendar window", () => {
  it.each([
    ["day", "2026-02-28T23:59:59.999Z", "2026-03-01T00:00:00Z"],
    ["day", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"],
    ["month", "2026-02-28T23:59:59.999Z", "2026-03-01T00:00:00Z"],
    ["month", "2028-02-29T23:59:59.999Z", "2028-03-01T00:00:00Z"],
    ["month", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"],
  ] as const)("of a %s ends at midnight after %s", (window, last, first) => {
    const state = freshCounter();
    const limit = setting(window, 10);
    ask(state, limit, 10, Date.parse(last));
    expect(standing(state, limit, Date.parse(last)).resetMs).toBe(1);
    expect(ask(state, limit, 10, Date.parse(first)).verdict.fits).toBe(true);
  });

  it("tells the rest of the period when use alone fills it, and a second when open holds do", () => {
    const limit = setting("day", 10);
    const held = freshCounter();
    ask(held, limit, 10, 0);
    expect(ask(held, limit, 5, 0).verdict.retryAfterMs).toBe(1_000);
    const used: CounterState = { used: 10, held: 0, mark: 0, rate: 10, endsMs: 0 };
    expect(ask(used, limit, 5, 0).verdict.retryAfterMs).toBe(86_400_000);
    expect(ask(used, limit, 5, 86_399_999).verdict.retryAfterMs).toBe(1);
  });

  it("takes back only what is above the late charge, and not in a later period", () => {
    const limit = setting("day", 100);
    const state = freshCounter();
    const { hold } = ask(state, limit, 60, 0);
    if (hold === undefined) throw new Error("expected a hold");
    settleHold(state, hold, hold.amount, 0);
    settleLate(state, hold, 20, 0);
    expect(standing(state, limit, 0).remaining).toBe(80);
    pass(state, limit, 86_400_000);
    settleLate(state, hold, 99, 86_400_000);
    expect(standing(state, limit, 86_400_000).remaining).toBe(100);
  });
});

describe("a limit", () => {
  it("of zero admits nothing, ever, of what it counts", () => {
    for (const window of ["minute", "day", "month", "open"] as const) {
      expect(ask(freshCounter(), setting(window, 0), 1, 0).verdict).toEqual({ fits: false, neverFits: true, retryAfterMs: 0 });
    }
  });

  it("does not refuse a request that asks nothing of it, even overrun", () => {
    const overrun: CounterState = { used: 500, held: 0, mark: 0, rate: 10, endsMs: 0 };
    expect(ask(overrun, setting("day", 10), 0, 0).verdict.fits).toBe(true);
  });

  it("counts each unit by its own amount, and a concurrent request as one", () => {
    const amounts = { requests: 1, tokens: 20, inputTokens: 13, outputTokens: 7, microUsd: 300 };
    expect(limitUnits.map((unit) => amountOf(unit, amounts))).toEqual([1, 20, 13, 7, 300, 1]);
  });

  it("has its burst as capacity where it is a bucket, and its ceiling otherwise", () => {
    expect(capacityOf(setting("minute", 10, 50))).toBe(50);
    expect(capacityOf(setting("minute", 10))).toBe(10);
    expect(capacityOf(setting("day", 10, 50))).toBe(10);
  });

  it("that counts something else under its old name is another counter; one of a key has a scope of its own", () => {
    expect(counterKey(setting("day", 1))).not.toBe(counterKey(setting("month", 1)));
    expect(counterKey(setting("day", 1))).not.toBe(counterKey(setting("day", 1, undefined, "micro_usd")));
    expect(scopeOf({ setting: setting("day", 1), counter: "limit", periods: [] })).toBe("");
    expect(scopeOf({ setting: setting("day", 1), counter: "limit|key=a", periods: [] })).toBe("|key=a");
  });
});
