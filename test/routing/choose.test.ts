import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Deployment } from "../../src/region/catalogue.ts";
import { choose, waitMs } from "../../src/routing/choose.ts";
import { Health } from "../../src/routing/health.ts";
import { deployment, region } from "../support/catalogue.ts";
import { permitFor } from "../support/permits.ts";
import { SeededEntropy } from "../support/seeded-entropy.ts";

const place = region("sea", "SG");
const nobody: ReadonlySet<string> = new Set();

function many(count: number, weight: (index: number) => number = () => 1): Deployment[] {
  return Array.from({ length: count }, (_, index) => deployment(`d${index}`, { region: place, weight: weight(index) }));
}

/** How often each is chosen. */
function counts(deployments: readonly Deployment[], health: Health, rounds: number): Map<string, number> {
  const permit = permitFor(deployments);
  const entropy = new SeededEntropy(7);
  const chosen = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    const id = choose(permit, health, nobody, entropy, 0)?.id ?? "none";
    chosen.set(id, (chosen.get(id) ?? 0) + 1);
  }
  return chosen;
}

describe("choose", () => {
  it("chooses only what the permit names, is available and was not tried, and something wherever there is such", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            weight: fc.integer({ min: 1, max: 1_000 }),
            tried: fc.boolean(),
            state: fc.constantFrom("well", "resting", "broken"),
            latencyMs: fc.option(fc.integer({ min: 0, max: 60_000 })),
          }),
          { minLength: 1, maxLength: 40 },
        ),
        fc.integer(),
        (shape, seed) => {
          const deployments = shape.map(({ weight }, index) => deployment(`d${index}`, { region: place, weight }));
          const health = new Health({ failures: 1, openMs: 1_000, longestOpenMs: 1_000 });
          const tried = new Set<string>();
          const open = new Set<Deployment>();
          shape.forEach((each, index) => {
            const subject = deployments[index] as Deployment;
            if (each.latencyMs !== null) health.of(subject.id).answered(each.latencyMs);
            if (each.tried) tried.add(subject.id);
            if (each.state === "resting") health.of(subject.id).busy(0, 500);
            if (each.state === "broken") health.of(subject.id).failed(0);
            if (!each.tried && each.state === "well") open.add(subject);
          });
          const permit = permitFor(deployments);
          const entropy = new SeededEntropy(seed);
          for (let round = 0; round < 5; round++) {
            const chosen = choose(permit, health, tried, entropy, 0);
            if (open.size === 0) expect(chosen).toBeUndefined();
            else expect(open.has(chosen as Deployment)).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("shares out by weight", () => {
    const chosen = counts(
      many(3, (index) => [1, 2, 5][index] as number),
      new Health(),
      8_000,
    );
    expect(chosen.get("sea/d0")).toBeGreaterThan(850);
    expect(chosen.get("sea/d0")).toBeLessThan(1_150);
    expect(chosen.get("sea/d2")).toBeGreaterThan(4_800);
    expect(chosen.get("sea/d2")).toBeLessThan(5_200);
  });

  it("shares out by latency, below which differences are noise, and takes one never measured for fast", () => {
    const health = new Health();
    health.of("sea/d0").answered(400);
    health.of("sea/d1").answered(100);
    health.of("sea/d2").answered(3);
    const chosen = counts(many(4), health, 10_000);
    // In parts of 1/400, 1/100, 1/50, 1/50.
    const expected = { "sea/d0": 476, "sea/d1": 1_905, "sea/d2": 3_810, "sea/d3": 3_810 };
    for (const [id, count] of Object.entries(expected)) expect(Math.abs((chosen.get(id) ?? 0) - count)).toBeLessThan(200);
  });

  it("shares out among hundreds by weight, and takes the load off slow ones", () => {
    const health = new Health();
    for (let index = 0; index < 200; index++) health.of(`sea/d${index}`).answered(index < 100 ? 50 : 500);
    const chosen = counts(
      many(200, (index) => (index % 2 === 0 ? 1 : 3)),
      health,
      20_000,
    );
    const sum = (wanted: (index: number) => boolean): number => {
      let total = 0;
      for (let index = 0; index < 200; index++) if (wanted(index)) total += chosen.get(`sea/d${index}`) ?? 0;
      return total;
    };
    expect(sum((index) => index % 2 === 1) / sum((index) => index % 2 === 0)).toBeCloseTo(3, 0);
    // Ten times as slow: a twentieth and a quarter of the draws, instead of a half.
    expect(sum((index) => index >= 100) / 20_000).toBeLessThan(0.35);
    expect(sum((index) => index >= 100) / 20_000).toBeGreaterThan(0.05);
  });

  it("finds the one of hundreds that is left", () => {
    const deployments = many(300);
    const tried = new Set(deployments.slice(0, 299).map(({ id }) => id));
    expect(choose(permitFor(deployments), new Health(), tried, new SeededEntropy(1), 0)?.id).toBe("sea/d299");
  });

  it("looks at no more deployments of 500 than of 20", () => {
    const looks = (count: number): number => {
      let looked = 0;
      const health = new Health();
      const counting = { of: (id: string) => (looked++, health.of(id)) } as Health;
      const permit = permitFor(many(count));
      const entropy = new SeededEntropy(3);
      for (let round = 0; round < 100; round++) choose(permit, counting, nobody, entropy, 0);
      return looked;
    };
    expect(looks(500)).toBe(looks(20));
  });

  it("says how long until one is available", () => {
    const health = new Health({ failures: 1, openMs: 1_000, longestOpenMs: 1_000 });
    const permit = permitFor(many(2));
    expect(waitMs(permit, health, 0)).toBe(0);
    health.of("sea/d0").failed(0);
    health.of("sea/d1").busy(0, 300);
    expect(waitMs(permit, health, 100)).toBe(200);
  });
});
