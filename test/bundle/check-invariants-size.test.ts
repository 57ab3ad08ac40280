import { expect, it } from "vitest";
import { checkInvariants } from "../../src/bundle/check-invariants.ts";
import { assignedCountries } from "../../src/region/assigned-countries.ts";
import type { Rule } from "../../src/region/policy.ts";
import { catalogueWith, china, modelOf, policyWith, ruleOf, type Place } from "../policy/policy-fixture.ts";

const countries = [...assignedCountries].sort();

/** Some of the countries, others for each number. */
function someCountries(number: number, count: number): ReadonlySet<string> {
  return new Set(Array.from({ length: count }, (_, index) => countries[(number * 37 + index * 11) % countries.length] ?? ""));
}

/** Two hundred rules of the kinds that tell tenants apart, each for one tier of five. */
function manyRules(): Rule[] {
  return Array.from({ length: 199 }, (_, number): Rule => {
    const scope = { id: `rule-${number}`, tiers: new Set([`tier-${number % 5}`]) };
    const few = someCountries(number, 3);
    if (number % 4 === 0) return ruleOf("weights_location", { neverIn: few }, scope);
    if (number % 4 === 1) return ruleOf("tier", {}, { ...scope, tenantsIn: few });
    if (number % 4 === 2) return ruleOf("ownership", { ownersIn: few, ownersOn: [], share: undefined }, scope);
    return ruleOf("end_use", { denied: [`use ${number % 20}`], allowed: undefined }, { ...scope, tenantsIn: few });
  });
}

it(
  "takes seconds for 500 deployments and 200 rules, and finds the one tenant for whom a rule is missing",
  { timeout: 120_000 },
  () => {
    const served = Array.from({ length: 25 }, (_, number) => {
      const places = Array.from({ length: 20 }, (_, index): Place => ({ countries: [...someCountries(number * 20 + index, 2)] }));
      return [modelOf(`model-${number}`, { tier: `tier-${number % 5}` }), places] as const;
    });
    const catalogue = catalogueWith(...served);
    const policy = policyWith(ruleOf("own_jurisdiction", {}), ...manyRules());
    const invariant = {
      id: "nothing-in-china",
      because: "It must hold.",
      tenantsIn: new Set(["VA"]),
      ownersIn: undefined,
      endUses: ["use 7"],
      audience: undefined,
      makers: undefined,
      tiers: undefined,
      models: undefined,
      neverIn: china,
      neverInOwnJurisdiction: false,
      leastEvidence: undefined,
      neverServed: false,
    };
    const began = performance.now();
    const check = checkInvariants({ policy: { ...policy, invariants: [invariant] }, catalogue }, 0);
    const seconds = (performance.now() - began) / 1_000;
    expect(policy.rules).toHaveLength(200);
    expect(catalogue.deployments.size).toBe(500);
    expect(check.pairs).toBeGreaterThan(400_000);
    expect(check.counterexamples).toHaveLength(1);
    expect(check.counterexamples[0]?.inputs.tenant).toMatchObject({
      registeredCountry: { value: "VA" },
      endUse: { value: "use 7" },
    });
    // Some seconds on a quiet machine; the bound only tells that it does not grow with the product of all there is.
    expect(seconds).toBeLessThan(60);
  },
);
