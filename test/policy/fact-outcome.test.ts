import fc from "fast-check";
import { expect, it } from "vitest";
import { strongest, type FactOutcome } from "../../src/policy/fact-outcome.ts";

const weakestFirst: readonly FactOutcome[] = ["no_match", "unknown", "stale", "conflicting", "match"];

it("of several facts the strongest decides, in whichever order they are looked at, and of equals the first", () => {
  const found = fc.record({ outcome: fc.constantFrom(...weakestFirst), what: fc.string() });
  fc.assert(
    fc.property(fc.array(found, { minLength: 1 }), (founds) => {
      const most = Math.max(...founds.map(({ outcome }) => weakestFirst.indexOf(outcome)));
      const { outcome, what } = strongest(founds);
      expect(outcome).toBe(weakestFirst[most]);
      if (outcome !== "no_match") expect(what).toBe(founds.find((each) => each.outcome === outcome)?.what);
    }),
  );
});

it("of no facts nothing is found", () => {
  expect(strongest([]).outcome).toBe("no_match");
});
