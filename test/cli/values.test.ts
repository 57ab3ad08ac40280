import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { commaList, expiry, microUsd, showMicroUsd, wholeNumber } from "../../src/runtime/node/cli/values.ts";

describe("US dollars", () => {
  test.each([
    ["0", 0],
    ["4.35", 4_350_000],
    ["0.000001", 1],
    ["0.1", 100_000],
    ["1000000000", 1_000_000_000_000_000],
    ["007.5", 7_500_000],
  ])("%s is exactly %i micro-USD", (text, micro) => {
    expect(microUsd(text, "usd")).toBe(micro);
  });

  test.each(["", ".5", "5.", "-1", "1e3", "0.0000001", "1,000", "$5", "NaN", "99999999999", " 1"])("%j is refused", (text) => {
    expect(() => microUsd(text, "usd-per-month")).toThrow(/--usd-per-month/);
  });

  test("shown and read again are the same to the last micro-USD", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 52 }), (micro) => {
        expect(microUsd(showMicroUsd(micro).slice(1), "usd")).toBe(micro);
      }),
    );
  });
});

test("whole numbers take underscores between digits and nothing else", () => {
  expect(wholeNumber("1_000_000", "n")).toBe(1_000_000);
  for (const text of ["", "_1", "1_", "1__0", "-1", "1.0", "0x10", "9007199254740993"])
    expect(() => wholeNumber(text, "n")).toThrow(/--n/);
});

test("an expiry in days counts from now, any other is left to the API", () => {
  expect(expiry("90d", Date.parse("2026-11-23T12:00:00Z"))).toBe("2027-02-21T12:00:00.000Z");
  expect(expiry("2027-01-01", 0)).toBe("2027-01-01");
});

test("a list keeps no blanks and no empty parts", () => {
  expect(commaList(" a, b,,c ,")).toEqual(["a", "b", "c"]);
});
