import { describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import { chances, choose } from "../../src/routing/choose.ts";
import { Health } from "../../src/routing/health.ts";
import { catalogueWith, modelOf, policyWith, tenantIn } from "../policy/policy-fixture.ts";
import { SeededEntropy } from "../support/seeded-entropy.ts";

describe("the chance of a deployment to be tried first", () => {
  for (const count of [3, 20]) {
    it(`is how often it is chosen, of ${count}`, () => {
      const catalogue = catalogueWith([modelOf("gpt"), Array.from({ length: count }, () => ({ countries: ["US"] }))]);
      const decision = authorise(
        { tenant: tenantIn("SG"), modelName: "gpt", surface: "chat.completions" },
        policyWith(),
        catalogue,
        0,
      );
      if (!decision.ok) throw new Error(decision.refusal.kind);
      const health = new Health();
      health.of("gpt/1").answered(500);
      health.of("gpt/2").answered(100);
      health.of("gpt/3").busy(0, 1_000);
      const expected = chances(decision.value.deployments, health, 0);
      const entropy = new SeededEntropy(7);
      const draws = 20_000;
      const taken = new Map<string, number>();
      for (let draw = 0; draw < draws; draw++) {
        const id = choose(decision.value, health, new Set(), entropy, 0)?.id ?? "";
        taken.set(id, (taken.get(id) ?? 0) + 1);
      }
      for (const { id } of decision.value.deployments)
        expect(Math.abs((taken.get(id) ?? 0) / draws - (expected.get(id) ?? 0))).toBeLessThan(0.015);
      expect(expected.has("gpt/3")).toBe(false);
    });
  }
});
