import { describe, expect, it } from "vitest";
import type { RetentionClass } from "../../src/region/policy.ts";
import { monthsBefore } from "../../src/retention/months-before.ts";
import { retentionTerms, termOf } from "../../src/retention/retention-terms.ts";
import { catalogue } from "../control/control-fixture.ts";
import { openPolicy } from "../support/permits.ts";

const nowMs = Date.parse("2026-11-25T12:00:00Z");

function kept(months: number, more: Partial<RetentionClass> = {}): RetentionClass {
  return { months, records: new Set(["receipts"]), tiers: undefined, makers: undefined, ...more };
}

function classOf(classes: Record<string, RetentionClass>, model: string | undefined): string | undefined {
  const policy = { ...openPolicy, retention: new Map(Object.entries(classes)) };
  return termOf(retentionTerms(policy, catalogue, nowMs).terms, "receipts", model)?.className;
}

describe("the class of a record", () => {
  it("is the longest of those that it falls under", () => {
    const classes = { short: kept(6), long: kept(60), frontier: kept(120, { tiers: new Set(["frontier"]) }) };
    expect(classOf(classes, "gpt-5")).toBe("frontier");
    expect(classOf(classes, "gpt-4.1-mini")).toBe("long");
    expect(classOf({ short: kept(6), long: kept(60) }, "gpt-5")).toBe("long");
  });

  it("is unknown, which keeps for ever, where nothing names it or the catalogue does not know the model", () => {
    expect(classOf({}, "gpt-5")).toBeUndefined();
    expect(classOf({ other: kept(6, { records: new Set(["audit"]) }) }, "gpt-5")).toBeUndefined();
    const narrow = { short: kept(6), frontier: kept(120, { tiers: new Set(["frontier"]) }) };
    expect(classOf(narrow, "gone-model")).toBeUndefined();
    expect(classOf(narrow, undefined)).toBeUndefined();
    expect(classOf({ frontier: kept(120, { tiers: new Set(["frontier"]) }) }, "gpt-4.1-mini")).toBeUndefined();
    expect(classOf({ others: kept(120, { makers: new Set(["somebody"]) }) }, "gpt-5")).toBeUndefined();
  });

  it("never lets anything younger be deleted than was asked for, nor than it allows", () => {
    const policy = { ...openPolicy, retention: new Map([["short", kept(6)]]) };
    const allowedMs = Date.parse("2026-05-25T12:00:00Z");
    const before = (beforeMs?: number): number | undefined =>
      retentionTerms(policy, catalogue, nowMs, beforeMs).terms[0]?.beforeMs;
    expect(before()).toBe(allowedMs);
    expect(before(allowedMs - 5)).toBe(allowedMs - 5);
    expect(before(allowedMs + 5)).toBe(allowedMs);
  });
});

describe("months before", () => {
  it.each([
    ["2026-11-25T12:00:00Z", 6, "2026-05-25T12:00:00.000Z"],
    ["2026-08-31T01:02:03Z", 6, "2026-02-28T01:02:03.000Z"],
    ["2028-08-30T00:00:00Z", 6, "2028-02-29T00:00:00.000Z"],
    ["2026-01-31T00:00:00Z", 120, "2016-01-31T00:00:00.000Z"],
  ])("%s, %i of them, are %s", (at, months, expected) => {
    expect(new Date(monthsBefore(Date.parse(at), months)).toISOString()).toBe(expected);
  });
});
