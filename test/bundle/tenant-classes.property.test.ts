import fc from "fast-check";
import { expect, it } from "vitest";
import { checkInvariants } from "../../src/bundle/check-invariants.ts";
import { decide } from "../../src/policy/decide.ts";
import { inputsOf, plainRequest } from "../../src/policy/decision-inputs.ts";
import type { Rule } from "../../src/region/policy.ts";
import { catalogueWith, modelOf, policyWith, ruleOf, tenantIn, type Place } from "../policy/policy-fixture.ts";

const country = fc.constantFrom("CN", "HK", "SG", "US", "DE", "FR", "JP", "RU");
const countries = fc.uniqueArray(country, { minLength: 1, maxLength: 4 });
const set = countries.map((list): ReadonlySet<string> => new Set(list));
const scope = fc.record({
  tenantsIn: fc.option(set, { nil: undefined }),
  audience: fc.constantFrom(undefined, undefined, "internal" as const, "public-facing" as const),
});
const use = fc.constantFrom("research", "weapons", "surveillance", "medicine");

const drawnRule: fc.Arbitrary<Rule> = fc.oneof(
  fc.tuple(set, scope).map(([neverIn, of]) => ruleOf("weights_location", { neverIn }, of)),
  fc.tuple(set, scope).map(([deny, of]) => ruleOf("tenant_countries", { deny, allow: undefined }, of)),
  set.map((tenantsIn) => ruleOf("tier", {}, { tenantsIn })),
  set.map((openTo) => ruleOf("withdrawal", { openTo })),
  set.map((ownersIn) => ruleOf("ownership", { ownersIn, ownersOn: [], share: undefined })),
  fc
    .tuple(set, fc.boolean())
    .map(([ownersIn, half]) =>
      ruleOf("ownership", { ownersIn, ownersOn: [], share: { compare: half ? "at_least" : "more_than", basisPoints: 5_000 } }),
    ),
  fc
    .tuple(fc.uniqueArray(use, { minLength: 1 }), scope)
    .map(([denied, of]) => ruleOf("end_use", { denied, allowed: undefined }, of)),
  fc.tuple(fc.uniqueArray(use, { minLength: 1 }), scope).map(([allowed, of]) => ruleOf("end_use", { denied: [], allowed }, of)),
  fc.tuple(set, scope).map(([denied, of]) => ruleOf("nationality", { denied, allowed: undefined }, of)),
);

it("is exhaustive: whatever any tenant of several countries, owners and uses reaches, the check reaches too", () => {
  let reached = 0;
  fc.assert(
    fc.property(
      fc.array(drawnRule, { maxLength: 5 }),
      fc.array(countries, { minLength: 1, maxLength: 4 }),
      fc.tuple(country, country, country),
      fc.record({
        endUse: fc.option(use, { nil: undefined }),
        audience: fc.constantFrom(undefined, "internal", "public-facing"),
      }),
      fc.record({ owner: country, basisPoints: fc.constantFrom(0, 4_000, 5_000, 10_000) }),
      fc.option(country),
      fc.boolean(),
      (
        drawn,
        reach,
        [registeredCountry, headquartersCountry, ultimateParentCountry],
        declared,
        holding,
        endUserNationality,
        isNamed,
      ) => {
        const rules = drawn.map((rule, index): Rule => ({ ...rule, id: `rule-${index}` }));
        const catalogue = catalogueWith([modelOf("gpt"), reach.map((each): Place => ({ countries: each }))]);
        const policy = policyWith(ruleOf("own_jurisdiction", {}), ...rules);
        const at = { evidence: "document", asOf: "1970-01-01T00:00:00Z", of: "tenant" };
        const tenant = tenantIn("SG", {
          facts: { registeredCountry, headquartersCountry, ultimateParentCountry, ...declared },
          ownership: {
            owners: [
              { id: "one", name: "One", kind: "company", country: holding.owner, identifiers: [] },
              { id: "many", name: "Many", kind: "dispersed", country: undefined, identifiers: [] },
            ],
            holdings: [
              { ...at, owner: "one", basisPoints: holding.basisPoints },
              { ...at, owner: "many", basisPoints: 10_000 - holding.basisPoints },
            ],
          },
        });
        const asked = {
          tenant,
          modelName: "gpt",
          surface: "chat.completions",
          request: { ...plainRequest, endUserNationality },
        } as const;
        const { outcome } = decide(inputsOf(asked, 0), policy, catalogue);
        for (const deployment of outcome.ok ? outcome.grant.deployments : []) {
          reached += 1;
          const only = { ...catalogue, deploymentsByModel: new Map([["gpt", [deployment]]]) };
          const invariant = {
            id: "reached",
            because: "It is reached.",
            tenantsIn: isNamed ? new Set([registeredCountry]) : undefined,
            ownersIn: undefined,
            endUses: isNamed && declared.endUse !== undefined ? [declared.endUse] : undefined,
            audience: isNamed ? declared.audience : undefined,
            makers: undefined,
            tiers: undefined,
            models: undefined,
            neverIn: undefined,
            neverInOwnJurisdiction: false,
            leastEvidence: undefined,
            neverServed: true,
          };
          const check = checkInvariants({ policy: { ...policy, invariants: [invariant] }, catalogue: only }, 0);
          expect(check.counterexamples).toHaveLength(1);
        }
      },
    ),
    { numRuns: 800 },
  );
  expect(reached).toBeGreaterThan(50);
});
