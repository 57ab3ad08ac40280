import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quarterMs } from "../../src/ledger/journal-reader.ts";
import { dayBeginsMs, daysBetween } from "../../src/ledger/usage-days.ts";
import { readPeriod, readUsageAsked } from "../../src/ledger/usage-period.ts";

const nowMs = Date.parse("2026-11-23T12:07:00Z");
const defaults = { nowMs, timeZone: undefined };

function query(parameters: Readonly<Record<string, string>>): (name: string) => string | undefined {
  return (name) => parameters[name];
}

function period(parameters: Readonly<Record<string, string>>, timeZone?: string): string[] {
  const read = readPeriod(query(parameters), { nowMs, timeZone });
  if (!read.ok) return read.problems.map(({ parameter, expected }) => `${parameter}: ${expected}`);
  return [new Date(read.value.fromMs).toISOString(), new Date(read.value.toMs).toISOString()];
}

describe("a period", () => {
  it("is this month up to now where nothing is said, in the tenant's time zone or the one asked for", () => {
    expect(period({})).toEqual(["2026-11-01T00:00:00.000Z", "2026-11-23T12:15:00.000Z"]);
    expect(period({}, "Asia/Singapore")).toEqual(["2026-10-31T16:00:00.000Z", "2026-11-23T12:15:00.000Z"]);
    expect(period({ time_zone: "America/New_York" }, "Asia/Singapore")).toEqual([
      "2026-11-01T04:00:00.000Z",
      "2026-11-23T12:15:00.000Z",
    ]);
  });

  it("is the month before where it ends with the first of this one", () => {
    expect(period({ to: "2026-11-01" })).toEqual(["2026-10-01T00:00:00.000Z", "2026-11-01T00:00:00.000Z"]);
  });

  it("takes days as the time zone has them, and times with their offset", () => {
    expect(period({ from: "2026-03-29", to: "2026-03-30", time_zone: "Europe/Berlin" })).toEqual([
      "2026-03-28T23:00:00.000Z",
      "2026-03-29T22:00:00.000Z",
    ]);
    expect(period({ from: "2026-11-01T08:00:00+08:00", to: "2026-11-01T01:30Z" })).toEqual([
      "2026-11-01T00:00:00.000Z",
      "2026-11-01T01:30:00.000Z",
    ]);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ from: "yesterday" }, /^from: a day such as 2026-11-01, or a time/],
    [{ from: "2026-02-30" }, /^from: a day/],
    [{ from: "2026-11-01T08:00:00" }, /^from: .*offset/],
    [{ to: "2026-11-31T00:00:00Z" }, /^to: a day/],
    [{ from: "2026-11-02", to: "2026-11-02" }, /^from: a time before `to`/],
    [{ time_zone: "Mars/Olympus" }, /^time_zone: an IANA time zone/],
    [{ time_zone: "+08:00" }, /^time_zone: an IANA time zone/],
  ])("says what to write instead of %j", (parameters, told) => {
    const [first] = period(parameters);
    expect(first).toMatch(told);
  });

  it("tells of everything that is wrong at once", () => {
    const read = readUsageAsked(query({ from: "x", to: "y", by: "z" }), defaults);
    expect(read.ok ? [] : read.problems.map(({ parameter }) => parameter)).toEqual(["to", "from", "by"]);
  });
});

describe("what usage is asked by", () => {
  const by = (text: string): unknown => {
    const read = readUsageAsked(query({ by: text }), defaults, ["day", "model"]);
    return read.ok ? read.value.by : read.problems;
  };

  it("is a list, by day where nothing is said", () => {
    expect(by("model, day")).toEqual(["model", "day"]);
    const read = readUsageAsked(query({}), defaults);
    expect(read.ok && read.value.by).toEqual(["day"]);
  });

  it.each(["colour", "day,day", "day,tenant", ""])("is none of what cannot be asked by: %j", (text) => {
    expect(by(text)).toEqual([{ parameter: "by", expected: "a list, each once, of day, model" }]);
  });

  it("is summed over full quarters of an hour, and not over years", () => {
    const problem = (parameters: Record<string, string>): string | undefined => {
      const read = readUsageAsked(query(parameters), defaults);
      return read.ok ? undefined : read.problems[0]?.expected;
    };
    expect(problem({ from: "2026-11-01T00:15:00Z" })).toBeUndefined();
    expect(problem({ from: "2026-11-01T00:14:59Z" })).toMatch(/full quarter of an hour/);
    expect(problem({ from: "2020-01-01" })).toMatch(/at most 400 days/);
  });
});

describe("a day", () => {
  it("begins where the wall first shows it, also where midnight is left out, comes twice, or never came", () => {
    const begins = (day: string, timeZone: string): string => new Date(dayBeginsMs(day, timeZone)).toISOString();
    // Santiago's clocks went from midnight to one; Havana's from one back to midnight; Apia had no 30 December.
    expect(begins("2024-09-08", "America/Santiago")).toBe("2024-09-08T04:00:00.000Z");
    expect(begins("2024-11-03", "America/Havana")).toBe("2024-11-03T04:00:00.000Z");
    expect(begins("2011-12-30", "Pacific/Apia")).toBe(begins("2011-12-31", "Pacific/Apia"));
    expect(begins("2026-11-23", "Pacific/Kiritimati")).toBe("2026-11-22T10:00:00.000Z");
    expect(begins("2026-11-23", "Pacific/Niue")).toBe("2026-11-23T11:00:00.000Z");
  });

  it("follows the one before without a gap, in any time zone and year", () => {
    const zones = Intl.supportedValuesOf("timeZone");
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2036, 0, 1) }),
        fc.integer({ min: 1, max: 2_000 }),
        (timeZone, timeMs, quarters) => {
          const fromMs = Math.floor(timeMs / quarterMs) * quarterMs;
          const toMs = fromMs + quarters * quarterMs;
          let reachedMs = fromMs;
          for (const day of daysBetween(fromMs, toMs, timeZone)) {
            expect(day.fromMs).toBe(reachedMs);
            expect(day.toMs).toBeGreaterThan(day.fromMs);
            expect(day.toMs % quarterMs).toBe(0);
            for (const ms of [day.fromMs, day.toMs - 1])
              expect(new Date(ms).toLocaleDateString("sv-SE", { timeZone })).toBe(day.day);
            reachedMs = day.toMs;
          }
          expect(reachedMs).toBe(toMs);
        },
      ),
      { numRuns: 200 },
    );
  });
});
