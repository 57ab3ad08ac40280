import { describe, expect, it } from "vitest";
import { Demand } from "../../../src/quota/slices/demand.ts";
import { fewestRequests, sliceSize } from "../../../src/quota/slices/slice-size.ts";
import type { LimitState } from "../../../src/quota/store.ts";
import type { LimitUnit } from "../../../src/tenant/limit-setting.ts";
import { amounts, apply, limit } from "../../stores/samples.ts";

const nothingLies = (): number => 0;
const state = (unit: LimitUnit, remaining: number, shadow = false): LimitState => {
  const window = unit === "concurrent" ? "open" : "day";
  const { setting } = limit(unit, unit, window, 1_000_000);
  return { limit: apply({ ...setting, shadow }), capacity: 1_000_000, remaining, resetMs: 1 };
};
/** A hundred requests of ten tokens. */
const hundred = { ...amounts(1_000), requests: 100, concurrent: 100 };

describe("the size of a slice", () => {
  it("is what is expected where enough is left", () => {
    expect(sliceSize(hundred, [state("tokens", 8_000), state("requests", 800)], nothingLies)).toEqual(hundred);
  });

  it("is an eighth of what is left, of each limit by itself", () => {
    const size = sliceSize(hundred, [state("tokens", 4_000), state("concurrent", 400)], nothingLies);
    expect(size).toMatchObject({ requests: 100, concurrent: 50 });
    expect(size?.tokens).toBeLessThanOrEqual(500);
    expect(size?.tokens).toBe((size?.inputTokens ?? 0) + (size?.outputTokens ?? 0));
  });

  it("is less by what lies in slices already", () => {
    const size = sliceSize(hundred, [state("concurrent", 400)], (unit) => (unit === "concurrent" ? 30 : 0));
    expect(size?.concurrent).toBe(20);
  });

  it.each<[string, LimitState, number]>([
    ["too little is left", state("requests", 8 * fewestRequests - 1), 0],
    ["nothing is left", state("tokens", 0), 0],
    ["less than nothing is left", state("tokens", -500), 0],
    ["as much lies in slices as may", state("concurrent", 800), 100],
  ])("is nothing where %s", (_, one, lying) => {
    expect(sliceSize(hundred, [one], () => lying)).toBeUndefined();
  });

  it("is not bounded by a limit in shadow mode", () => {
    expect(sliceSize(hundred, [state("tokens", 0, true)], nothingLies)).toEqual(hundred);
  });
});

describe("the demand that a slice is for", () => {
  it("is nothing where nothing was asked, and for so many requests at the least", () => {
    const demand = new Demand(1_000);
    expect(demand.expected(8, 0)).toBeUndefined();
    demand.add(amounts(10), 0);
    expect(demand.expected(8, 0)).toMatchObject({ requests: 8, tokens: 80, concurrent: 8 });
  });

  it("doubles while load rises, is a window's worth where it is steady, and is forgotten", () => {
    const demand = new Demand(1_000);
    for (let index = 0; index < 20; index++) demand.add(amounts(10), 0);
    expect(demand.expected(8, 500)).toMatchObject({ requests: 40, tokens: 400 });
    demand.add(amounts(10), 1_000);
    expect(demand.expected(8, 1_000)).toMatchObject({ requests: 20, tokens: 200 });
    expect(demand.requests(1_500)).toBe(20);
    expect(demand.requests(3_500)).toBe(0);
  });
});
