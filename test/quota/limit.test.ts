import { describe, expect, it } from "vitest";
import { scopeOf } from "../../src/quota/counter.ts";
import { appliedLimits, isPassing, type LimitSubject } from "../../src/quota/limit.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";

const subject: LimitSubject = { keyId: "k1", model: "gpt-5", tier: "frontier", endUser: "u_1", timeZone: undefined };

function setting(scope: Partial<LimitSetting>): LimitSetting {
  return {
    name: "limit",
    unit: "tokens",
    window: "minute",
    ceiling: 1,
    burst: undefined,
    key: undefined,
    model: undefined,
    ...scope,
  };
}

const counters = (scope: Partial<LimitSetting>, more: Partial<LimitSubject> = {}): string[] =>
  appliedLimits([setting(scope)], { ...subject, ...more }, 0).map((limit) => limit.counter);

describe("the limits of a request", () => {
  it.each<[string, Partial<LimitSetting>, string[]]>([
    ["all of the tenant's", {}, ["limit"]],
    ["its key", { key: "k1" }, ["limit|key=k1"]],
    ["another key", { key: "k2" }, []],
    ["its model's tier", { tier: "frontier" }, ["limit|tier=frontier"]],
    ["another tier", { tier: "standard" }, []],
    ["each tier", { tier: "each" }, ["limit|tier=frontier"]],
    ["each end user", { endUser: "each" }, ["limit|user=u_1"]],
    ["another end user", { endUser: "u_2" }, []],
    [
      "each of all",
      { key: "each", model: "each", tier: "each", endUser: "each" },
      ["limit|key=k1|model=gpt-5|tier=frontier|user=u_1"],
    ],
  ])("are those of %s", (_, scope, expected) => {
    expect(counters(scope)).toEqual(expected);
  });

  it("of each end user count those who name none together, so that leaving the name out is no way around", () => {
    expect(counters({ endUser: "each" }, { endUser: undefined })).toEqual(["limit|user="]);
    expect(counters({ endUser: "u_1" }, { endUser: undefined })).toEqual([]);
  });

  it("come with the periods of the tenant's calendar, where they have any", () => {
    const nowMs = Date.parse("2026-11-22T17:00:00Z");
    const [daily, minute] = appliedLimits(
      [setting({ window: "day" }), setting({})],
      { ...subject, timeZone: "Asia/Singapore" },
      nowMs,
    );
    expect(new Date(daily?.periods[1]?.startMs ?? 0).toISOString()).toBe("2026-11-22T16:00:00.000Z");
    expect(minute?.periods).toEqual([]);
  });

  it("are kept for ever by tenant, key, model and tier, and in passing by end user and by who comes with a token", () => {
    const passing = (scope: Partial<LimitSetting>, more: Partial<LimitSubject> = {}): boolean[] =>
      appliedLimits([setting(scope)], { ...subject, ...more }, 0).map((limit) => isPassing(scopeOf(limit)));
    expect([passing({}), passing({ key: "each", model: "each", tier: "each" })]).toEqual([[false], [false]]);
    expect([passing({ endUser: "each" }), passing({ key: "each" }, { keyId: "oidc:0123456789abcdef" })]).toEqual([
      [true],
      [true],
    ]);
  });
});
