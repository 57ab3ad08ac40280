import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isTimeZone, periodAt, periodsAround } from "../../src/tenant/periods.ts";

const at = (time: string): number => Date.parse(time);
const span = (window: "day" | "month", zone: string, time: string): string[] => {
  const { startMs, endMs } = periodAt(periodsAround(window, zone, at(time)), at(time));
  return [startMs, endMs].map((ms) => new Date(ms).toISOString().slice(0, 16));
};

describe("periods", () => {
  it.each([
    ["day", "UTC", "2026-02-28T23:59:59Z", "2026-02-28T00:00", "2026-03-01T00:00"],
    ["month", "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00", "2027-01-01T00:00"],
    ["month", "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00", "2028-03-01T00:00"],
    ["day", "Asia/Singapore", "2026-11-22T16:00:00Z", "2026-11-22T16:00", "2026-11-23T16:00"],
    ["day", "Asia/Kolkata", "2026-11-22T18:29:59Z", "2026-11-21T18:30", "2026-11-22T18:30"],
    ["month", "America/Los_Angeles", "2026-03-15T00:00:00Z", "2026-03-01T08:00", "2026-04-01T07:00"],
    // 23 and 25 hours.
    ["day", "Europe/Berlin", "2026-03-29T10:00:00Z", "2026-03-28T23:00", "2026-03-29T22:00"],
    ["day", "Europe/Berlin", "2026-10-25T10:00:00Z", "2026-10-24T22:00", "2026-10-25T23:00"],
    // Clocks that go from 00:00 to 01:00: there is no midnight.
    ["day", "Africa/Cairo", "2026-04-24T10:00:00Z", "2026-04-23T22:00", "2026-04-24T21:00"],
    // A change of half an hour.
    ["day", "Australia/Lord_Howe", "2026-04-05T00:00:00Z", "2026-04-04T13:00", "2026-04-05T13:30"],
    // The furthest ahead and behind.
    ["day", "Pacific/Kiritimati", "2026-11-22T10:00:00Z", "2026-11-22T10:00", "2026-11-23T10:00"],
    ["day", "Pacific/Pago_Pago", "2026-11-22T10:59:59Z", "2026-11-21T11:00", "2026-11-22T11:00"],
  ] as const)("of a %s in %s at %s go from %s to %s", (window, zone, time, start, end) => {
    expect(span(window, zone, time)).toEqual([start, end]);
  });

  it("leave no gap and no overlap where a whole day was left out", () => {
    const periods = periodsAround("day", "Pacific/Apia", at("2011-12-31T09:00:00Z"));
    for (const [index, period] of periods.entries()) expect(period.endMs).toBe(periods[index + 1]?.startMs ?? period.endMs);
    expect(periods.map(({ startMs, endMs }) => (endMs - startMs) / 3_600_000)).toEqual([0, 24, 24]);
  });

  it("join, grow by one, and hold the moment that they were asked for, in any zone at any time", () => {
    const zones = [
      "UTC",
      "Europe/London",
      "America/Sao_Paulo",
      "America/St_Johns",
      "Asia/Kathmandu",
      "Antarctica/Troll",
      "Africa/Casablanca",
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom("day" as const, "month" as const),
        fc.integer({ min: at("1990-01-01Z"), max: at("2040-01-01Z") }),
        (zone, window, nowMs) => {
          const periods = periodsAround(window, zone, nowMs);
          expect(periods).toHaveLength(3);
          for (let index = 1; index < periods.length; index++) {
            expect(periods[index]?.startMs).toBe(periods[index - 1]?.endMs);
            expect(periods[index]?.label).toBe((periods[index - 1]?.label ?? 0) + 1);
          }
          const current = periodAt(periods, nowMs);
          expect(current).toBe(periods[1]);
          expect(nowMs >= current.startMs && nowMs < current.endMs).toBe(true);
          const wall = (ms: number): string =>
            new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" })
              .format(ms)
              .slice(0, window === "day" ? 10 : 7);
          expect(wall(current.startMs)).toBe(wall(nowMs));
          expect(wall(current.endMs)).not.toBe(wall(nowMs));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("beyond the table are its first and its last", () => {
    const periods = periodsAround("day", "UTC", at("2026-03-31T12:00:00Z"));
    expect(periodAt(periods, 0)).toBe(periods[0]);
    expect(periodAt(periods, at("2027-01-01Z"))).toBe(periods[2]);
    expect(() => periodAt([], 0)).toThrow(RangeError);
  });

  it("are of zones by name, and of nothing that knows no summer time", () => {
    expect(["UTC", "Asia/Singapore", "Europe/Berlin"].map(isTimeZone)).toEqual([true, true, true]);
    expect(["+08:00", "Mars/Olympus", "", "Europe/Berlin; x"].map(isTimeZone)).toEqual([false, false, false, false]);
    expect(() => periodsAround("day", "Mars/Olympus", 0)).toThrow(RangeError);
  });
});
