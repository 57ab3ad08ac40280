import { describe, expect, it } from "vitest";
import { checkInvariants } from "../../src/bundle/check-invariants.ts";
import { decide } from "../../src/policy/decide.ts";
import type { World } from "../../src/policy/world.ts";
import type { Deployment, Model } from "../../src/region/catalogue.ts";
import { countrySet } from "../../src/region/country.ts";
import { catalogueWith, china, modelOf, policyWith, ruleOf, type Place } from "../policy/policy-fixture.ts";
import { catalogueOf, shippedFiles } from "../region/regions-fixture.ts";
import type { Invariant } from "../../src/region/invariant.ts";

const shipped = catalogueOf(shippedFiles());
const nowMs = Date.UTC(2026, 10, 25);

function invariantOf(parts: Partial<Invariant>): Invariant {
  return {
    id: "invariant",
    because: "It must hold.",
    tenantsIn: undefined,
    ownersIn: undefined,
    endUses: undefined,
    audience: undefined,
    makers: undefined,
    tiers: undefined,
    models: undefined,
    neverIn: undefined,
    neverInOwnJurisdiction: false,
    leastEvidence: undefined,
    neverServed: false,
    ...parts,
  };
}

/**
 * The shipped catalogue as it could become: every model in countries of every kind, with evidence and without, and nothing
 * said of its weights, so that nothing but the policy's rules stands in between.
 */
function anyCatalogue(): World["catalogue"] {
  const places = ["CN", "HK", "MO", "RU", "BY", "KP", "CU", "AE", "DE", "JP", "SG", "US"].flatMap((country) =>
    (["contractual-geography", "none"] as const).map((evidence) => ({
      countries: countrySet([country]),
      evidence,
      name: country,
    })),
  );
  const models = [...shipped.catalogue.models.values()].map((model): Model => ({ ...model, weightsNotIn: new Set() }));
  const deploymentsByModel = new Map(
    models.map((model) => {
      const [like] = shipped.catalogue.deploymentsByModel.get(model.id) ?? [];
      const list = places.flatMap(({ countries, evidence, name }): Deployment[] =>
        like === undefined ? [] : [{ ...like, id: `${name}/${model.id}/${evidence}`, model, countries, evidence }],
      );
      return [model.id, list];
    }),
  );
  return { ...shipped.catalogue, models: new Map(models.map((model) => [model.id, model])), deploymentsByModel };
}

describe("the shipped policy", () => {
  it("keeps its invariants over the shipped catalogue, now and at every later instant", () => {
    const check = checkInvariants(shipped, nowMs);
    expect(check.counterexamples).toEqual([]);
    expect(check.decisions).toBeGreaterThan(500);
  });

  describe("over whatever the catalogue may become", () => {
    const catalogue = anyCatalogue();

    it("keeps them by its rules alone", () => {
      expect(checkInvariants({ policy: shipped.policy, catalogue }, nowMs).counterexamples).toEqual([]);
    });

    // What a request asks for is refused without these rules as well: see `checkUnwritten`.
    const unneeded = new Set(["hosted_tools", "log_probabilities"]);
    for (const rule of shipped.policy.rules.filter(({ kind }) => !unneeded.has(kind))) {
      // An invariant holds at every instant, so none can stand behind a rule that is dated for later, over, or switched off for a
      // while: test/policy/worked-examples.test.ts shows what those do.
      const { effectiveFromMs = -Infinity, effectiveToMs = Infinity, suspensions } = rule;
      if (nowMs < effectiveFromMs || effectiveToMs <= nowMs || suspensions.length > 0) continue;
      it(`does not keep them without ${rule.id}`, () => {
        const policy = { ...shipped.policy, rules: shipped.policy.rules.filter((other) => other !== rule) };
        expect(checkInvariants({ policy, catalogue }, nowMs).counterexamples.length).toBeGreaterThan(0);
      });
    }
  });
});

describe("a counterexample", () => {
  const places: readonly Place[] = [{ countries: ["HK", "SG"] }, { countries: ["US"] }];
  const catalogue = catalogueWith([modelOf("gpt"), places]);
  const own = ruleOf("own_jurisdiction", {});

  it("is a decision that can be made again, with the rules that let it pass", () => {
    const policy = { ...policyWith(own), invariants: [invariantOf({ neverIn: china })] };
    const [found] = checkInvariants({ policy, catalogue }, 0).counterexamples;
    expect(found?.deployment.id).toBe("gpt/1");
    expect(found?.rules).toContain("own_jurisdiction");
    const again = found && decide(found.inputs, policy, catalogue);
    expect(again?.outcome.ok && again.outcome.grant.deployments).toContain(found?.deployment);
  });

  it("is found for a tenant of one country among many, of one end use, of one owner and of one audience", () => {
    const denied = ruleOf("end_use", { denied: ["weapons"], allowed: undefined });
    for (const [rules, invariant] of [
      [[own], invariantOf({ tenantsIn: new Set(["VA"]), neverServed: true })],
      [[own, denied], invariantOf({ endUses: ["torture"], neverServed: true })],
      [[own], invariantOf({ ownersIn: new Set(["KP"]), neverServed: true })],
      [[own], invariantOf({ audience: "public-facing", neverServed: true })],
      [[own], invariantOf({ leastEvidence: "attested" })],
    ] as const) {
      const policy = { ...policyWith(...rules), invariants: [invariant] };
      expect(checkInvariants({ policy, catalogue }, 0).counterexamples).toHaveLength(1);
    }
  });

  it("is found where a rule only ends later, and not where it has ended before", () => {
    const ending = ruleOf("weights_location", { neverIn: china }, { effectiveToMs: 500 });
    const policy = { ...policyWith(own, ending), invariants: [invariantOf({ neverIn: china })] };
    const check = checkInvariants({ policy, catalogue }, 0);
    expect(check.counterexamples.map(({ inputs }) => inputs.atMs)).toEqual([500]);
    const ended = {
      ...policyWith(own, ruleOf("tier", {}, { effectiveToMs: 500 })),
      invariants: [invariantOf({ neverIn: new Set(["JP"]) })],
    };
    expect(checkInvariants({ policy: ended, catalogue }, 0).counterexamples).toEqual([]);
  });
});
