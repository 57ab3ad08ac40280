import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PromptMeasure } from "../../src/dialect/model-request.ts";
import { PromptCalibration } from "../../src/quota/calibration.ts";
import { FadingHistogram } from "../../src/quota/fading-histogram.ts";
import { scriptOf, textBound } from "../../src/quota/prompt-bytes.ts";
import { RecentOutputs } from "../../src/quota/recent-outputs.ts";

const ascii = (bytes: number): PromptMeasure => ({ asciiBytes: bytes, otherBytes: 0, cjkBytes: 0, images: 0 });
const chinese = (bytes: number): PromptMeasure => ({ asciiBytes: 200, otherBytes: bytes, cjkBytes: bytes, images: 0 });

describe("what a prompt is written in", () => {
  it.each([
    ["English with a dash or two", { asciiBytes: 4_000, otherBytes: 60, cjkBytes: 0, images: 0 }, "ascii"],
    ["Chinese", { asciiBytes: 200, otherBytes: 3_000, cjkBytes: 3_000, images: 0 }, "cjk"],
    ["Arabic", { asciiBytes: 200, otherBytes: 3_000, cjkBytes: 0, images: 0 }, "other"],
    ["code with Chinese comments", { asciiBytes: 4_000, otherBytes: 600, cjkBytes: 600, images: 0 }, "mixed"],
  ] as const)("is told by its bytes: %s", (_, prompt, script) => {
    expect(scriptOf(prompt)).toBe(script);
  });
});

describe("prompts", () => {
  /** Chinese that comes to a token for each character, as it does with today's tokenizers, and a little less. */
  function taught(times: number, prompt: PromptMeasure, tokens: (index: number) => number): PromptCalibration {
    const calibration = new PromptCalibration();
    for (let index = 0; index < times; index++) calibration.learn("model-a", prompt, tokens(index) + 32);
    return calibration;
  }

  it("are held at the plain bound until two hundred of them were counted", () => {
    expect(taught(199, ascii(4_000), () => 1_000).textTokens("model-a", ascii(4_000))).toBe(2_000);
    expect(taught(200, ascii(4_000), () => 1_000).textTokens("model-a", ascii(4_000))).toBeLessThan(1_200);
  });

  it("are then held above all but one in a hundred, by model and script apart", () => {
    const calibration = taught(300, chinese(3_000), (index) => 900 + (index % 200));
    const held = calibration.textTokens("model-a", chinese(3_000));
    expect(held).toBeGreaterThan(1_099);
    expect(held).toBeLessThan(1_250);
    expect(calibration.textTokens("model-a", ascii(4_000))).toBe(2_000);
    expect(calibration.textTokens("model-b", chinese(3_000))).toBe(textBound(chinese(3_000)));
  });

  it("are held above the plain bound where a model's tokenizer turns out worse, and never above a token a byte", () => {
    const worse = taught(300, ascii(4_000), () => 2_600);
    expect(worse.textTokens("model-a", ascii(4_000))).toBeGreaterThan(2_600);
    expect(taught(300, ascii(4_000), () => 50_000).textTokens("model-a", ascii(4_000))).toBe(4_000);
  });

  it("are never held below an eighth of their bytes, whatever is reported", () => {
    expect(taught(5_000, ascii(8_000), () => 0).textTokens("model-a", ascii(8_000))).toBe(1_000);
  });

  it("follow a model whose tokenizer changed", () => {
    const calibration = taught(4_000, ascii(4_000), () => 800);
    for (let index = 0; index < 400; index++) calibration.learn("model-a", ascii(4_000), 1_600 + 32);
    expect(calibration.textTokens("model-a", ascii(4_000))).toBeGreaterThan(1_600);
  });

  it("stay within bounds and whole numbers for anything that is reported", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(1e6), fc.nat(1e9)), { minLength: 200, maxLength: 300 }),
        fc.nat(1e6),
        (reports, bytes) => {
          const calibration = new PromptCalibration();
          for (const [size, tokens] of reports) calibration.learn("m", ascii(size), tokens);
          const held = calibration.textTokens("m", ascii(bytes));
          expect(Number.isSafeInteger(held)).toBe(true);
          expect(held).toBeLessThanOrEqual(bytes);
          expect(held).toBeGreaterThanOrEqual(Math.min(bytes, Math.floor(bytes / 8)));
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe("answers", () => {
  it("are unknown until sixty were seen, then held above nineteen in twenty and not an eighth more", () => {
    const outputs = new RecentOutputs();
    for (let index = 0; index < 59; index++) outputs.learn("acme", "m", 500);
    expect(outputs.expected("acme", "m")).toBeUndefined();
    outputs.learn("acme", "m", 500);
    expect(outputs.expected("acme", "m")).toBeGreaterThanOrEqual(500);
    expect(outputs.expected("acme", "m")).toBeLessThan(563);
    expect(outputs.expected("other", "m")).toBeUndefined();
    expect(outputs.expected("acme", "n")).toBeUndefined();
  });

  it("are held at or above the true 95th percentile of any of them, by an eighth at most", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 ** 31), { minLength: 60, maxLength: 300 }), (seen) => {
        const outputs = new RecentOutputs();
        for (const tokens of seen) outputs.learn("acme", "m", tokens);
        const sorted = [...seen].sort((left, right) => left - right);
        const exact = sorted[Math.ceil(sorted.length * 0.95) - 1] as number;
        const expected = outputs.expected("acme", "m") as number;
        expect(expected).toBeGreaterThanOrEqual(exact);
        expect(expected).toBeLessThanOrEqual(Math.max(15, exact * 1.125));
      }),
    );
  });

  it("are remembered for so many tenants and models, and those heard of longest ago forgotten", () => {
    const outputs = new RecentOutputs(2);
    for (let index = 0; index < 60; index++) for (const tenant of ["a", "b"]) outputs.learn(tenant, "m", 10);
    outputs.learn("a", "m", 10);
    outputs.learn("c", "m", 10);
    expect([outputs.expected("a", "m"), outputs.expected("b", "m")]).toEqual([10, undefined]);
  });
});

describe("a fading histogram", () => {
  it("forgets what was usual once", () => {
    const histogram = new FadingHistogram(4, 100);
    for (let index = 0; index < 1_000; index++) histogram.add(0);
    for (let index = 0; index < 200; index++) histogram.add(3);
    expect(histogram.quantile(500)).toBe(3);
    expect(histogram.total).toBeLessThan(100);
  });

  it("counts what lies outside in its first and last bucket", () => {
    const histogram = new FadingHistogram(4, 100);
    histogram.add(-5);
    histogram.add(9);
    expect([histogram.quantile(1), histogram.quantile(1_000)]).toEqual([0, 3]);
  });
});
