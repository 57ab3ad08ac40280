import { describe, expect, test } from "vitest";
import { median, medianRatio, percentile, spread } from "../../bench/statistics.ts";

describe("median", () => {
  test("is the middle value whatever the order, and leaves the given list as it was", () => {
    const values = [9, 1, 5];
    expect(median(values)).toBe(5);
    expect(values).toEqual([9, 1, 5]);
  });

  test("lies between the two middle values of an even number", () => {
    expect(median([4, 1, 100, 2])).toBe(3);
  });

  test("sorts by size, not by text", () => {
    expect(median([10, 9, 100])).toBe(10);
  });

  test("is not a number where nothing was measured", () => {
    expect(median([])).toBeNaN();
  });
});

describe("percentile", () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  test("is a value that was seen, at the nearest rank", () => {
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile([1, 2, 3], 0.5)).toBe(2);
  });

  test("stays within the values at both ends", () => {
    expect(percentile(hundred, 0)).toBe(1);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile([7], 0.99)).toBe(7);
  });

  test("is not a number where nothing was measured", () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

describe("medianRatio", () => {
  test("compares neighbours in a round, so that noise which both met cancels out", () => {
    expect(medianRatio([2, 20, 6], [1, 10, 3])).toBe(2);
  });

  test("differs from the ratio of the medians where rounds differ", () => {
    expect(medianRatio([1, 4, 9], [1, 2, 9])).toBe(1);
  });

  test("leaves out rounds that either side lacks or where the base is zero", () => {
    expect(medianRatio([3, undefined, 8, 5], [1, 1, undefined, 0])).toBe(3);
  });

  test("is not a number where no round has both", () => {
    expect(medianRatio([1], [undefined])).toBeNaN();
    expect(medianRatio([], [1, 2])).toBeNaN();
  });
});

describe("spread", () => {
  test("is half the distance between the extremes as a share of the median", () => {
    expect(spread([90, 100, 110])).toBeCloseTo(0.1);
    expect(spread([5, 5, 5])).toBe(0);
  });
});
