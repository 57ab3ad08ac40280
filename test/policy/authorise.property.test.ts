import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authorise, isPermit } from "../../src/policy/authorise.ts";
import { decide, type Grant } from "../../src/policy/decide.ts";
import { inputsOf } from "../../src/policy/decision-inputs.ts";
import { objectionKind } from "../../src/policy/finding.ts";
import { viewOf } from "../../src/policy/subject-view.ts";
import { evidenceGrades, type Catalogue, type Surface } from "../../src/region/catalogue.ts";
import type { Policy, Rule } from "../../src/region/policy.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueWith, china, modelOf, policyWith, ruleOf, tenantIn, type Place } from "./policy-fixture.ts";

const country = fc.constantFrom("CN", "HK", "MO", "SG", "JP", "US", "DE", "RU");
const fact = fc.oneof({ weight: 24, arbitrary: country }, { weight: 1, arbitrary: fc.constantFrom(undefined, "XX") });
const countries = fc.uniqueArray(country, { minLength: 1, maxLength: 3 });
const grade = fc.constantFrom(...evidenceGrades);
const maker = fc.constantFrom("openai", "anthropic");
const tier = fc.constantFrom("standard", "frontier");
const surface = fc.constantFrom<Surface>("chat.completions", "embeddings");
const instant = fc.integer({ min: 0, max: 10 });
const setOf = (from: fc.Arbitrary<string>): fc.Arbitrary<ReadonlySet<string>> =>
  fc.uniqueArray(from, { minLength: 1, maxLength: 3 }).map((list) => new Set(list));
const maybe = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined, freq: 2 });
/** One time in five: a world in which everything refuses would prove nothing. */
const rarely = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });

const scope = fc.record({
  id: fc.constantFrom("a", "b", "c", "d"),
  effectiveFromMs: maybe(instant),
  effectiveToMs: maybe(instant),
  makers: maybe(setOf(maker)),
  tiers: maybe(setOf(tier)),
  tenantsIn: maybe(setOf(country)),
});

const rule: fc.Arbitrary<Rule> = scope.chain((narrowing) =>
  fc.oneof(
    setOf(country).map((neverIn) => ruleOf("weights_location", { neverIn }, narrowing)),
    fc
      .tuple(maybe(setOf(country)), setOf(country))
      .map(([allow, deny]) => ruleOf("tenant_countries", { allow, deny }, narrowing)),
    setOf(country).map((ownersIn) => ruleOf("ownership", { ownersIn }, { ...narrowing, tenantsIn: undefined })),
    setOf(country).map((tenantsIn) => ruleOf("tier", {}, { ...narrowing, tenantsIn })),
    fc.constant(ruleOf("end_use", { denied: ["military"], allowed: undefined }, narrowing)),
    grade.map((least) => ruleOf("evidence", { least }, narrowing)),
  ),
);

const policies: fc.Arbitrary<Policy> = fc
  .array(rule, { maxLength: 4 })
  .map((rules) => policyWith(ruleOf("own_jurisdiction", {}, { id: "own" }), ...rules));

/** Without the rule that refuses every tenant of which a country is unknown, so that the other rules must do so. */
const openPolicies: fc.Arbitrary<Policy> = fc.array(rule, { minLength: 1, maxLength: 3 }).map((rules) => policyWith(...rules));

const place: fc.Arbitrary<Place> = fc.record({
  countries: fc.oneof(
    { weight: 8, arbitrary: countries },
    { weight: 1, arbitrary: fc.constantFrom("anywhere" as const, "unknown" as const) },
  ),
  evidence: grade,
  surfaces: fc.constantFrom<Surface[]>(["chat.completions"], ["embeddings"], ["chat.completions", "embeddings"]),
});

const catalogues: fc.Arbitrary<Catalogue> = fc
  .tuple(
    ...["gpt", "claude"].map((id) =>
      fc
        .tuple(maker, tier, fc.array(country, { maxLength: 2 }), fc.array(place, { minLength: 2, maxLength: 12 }))
        .map(
          ([by, at, never, places]) =>
            [modelOf(id, { aliases: [`${id}-1`], maker: by, tier: at, weightsNotIn: new Set(never) }), places] as const,
        ),
    ),
  )
  .map((served) => catalogueWith(...served));

const tenants: fc.Arbitrary<Tenant> = fc
  .record({
    seat: country,
    registeredCountry: rarely(fact),
    headquartersCountry: rarely(fact),
    ultimateParentCountry: fc.oneof({ weight: 9, arbitrary: rarely(country) }, { weight: 1, arbitrary: fc.constant("unknown") }),
    endUse: fc.constantFrom("software", "software", "software", "software", "military", undefined),
    tiers: rarely(fc.subarray(["standard", "frontier"])).map((some) => some ?? ["standard", "frontier"]),
    allowCountries: rarely(fc.uniqueArray(country, { maxLength: 6 })),
    denyCountries: rarely(fc.array(fc.constantFrom("JP", "DE", "group:CN", "group:moon"), { maxLength: 2 })).map(
      (list) => list ?? [],
    ),
    leastEvidence: rarely(grade),
  })
  .map(({ seat, registeredCountry = seat, headquartersCountry = seat, ultimateParentCountry = seat, endUse, ...others }) => {
    const parent = ultimateParentCountry === "unknown" ? undefined : ultimateParentCountry;
    return tenantIn(seat, {
      ...others,
      facts: { registeredCountry, headquartersCountry, ultimateParentCountry: parent, endUse },
    });
  });

const modelName = fc.constantFrom("gpt", "gpt-1", "claude", "claude-1", "none");
const worlds = fc.record({ tenant: tenants, policy: policies, catalogue: catalogues, modelName, surface, atMs: instant });
const runs = { numRuns: 1_500 };

function shownGrant(tenantId: string, { deployments, rules, refused, degradations }: Grant): unknown {
  return { tenantId, deployments, rules, degradations, refused: refused.map(({ deployment }) => deployment) };
}

function isUnknown(value: string | undefined): boolean {
  return value === undefined || value === "XX";
}

describe("over random catalogues, policies and tenants", () => {
  it("no permit holds a deployment that may meet the tenant's jurisdiction, its denied countries or the weights' ones", () => {
    let permits = 0;
    fc.assert(
      fc.property(worlds, ({ tenant, policy, catalogue, modelName: name, surface: wanted, atMs }) => {
        const decision = authorise({ tenant, modelName: name, surface: wanted }, policy, catalogue, atMs);
        if (!decision.ok) return;
        permits += 1;
        const permit = decision.value;
        expect(isPermit(permit)).toBe(true);
        expect(permit.deployments.length).toBeGreaterThan(0);
        expect(tenant.tiers).toContain(permit.model.tier);
        // Worked out here from the facts alone, so that a slip in the code under test does not excuse itself.
        const { registeredCountry, headquartersCountry, ultimateParentCountry } = tenant.facts;
        const facts = [registeredCountry, headquartersCountry, ultimateParentCountry];
        expect(facts.some(isUnknown)).toBe(false);
        const own = facts.some((code) => code !== undefined && china.has(code)) ? [...facts, ...china] : facts;
        const forbidden = new Set([...own, ...permit.model.weightsNotIn]);
        for (const entry of tenant.denyCountries) for (const code of entry === "group:CN" ? china : [entry]) forbidden.add(code);
        const allowed = tenant.allowCountries;
        for (const deployment of permit.deployments) {
          if (deployment.countries.kind !== "countries") throw new Error(deployment.countries.kind);
          const countriesOfDeployment = [...deployment.countries.countries];
          expect(countriesOfDeployment.filter((code) => forbidden.has(code) || allowed?.includes(code) === false)).toEqual([]);
          expect(deployment.surfaces.has(wanted)).toBe(true);
          expect(deployment.model).toBe(permit.model);
        }
      }),
      runs,
    );
    expect(permits).toBeGreaterThan(150);
  });

  it("what was remembered is what a fresh evaluation gives, at every instant and in any order", () => {
    const many = fc.record({
      tenants: fc.array(tenants, { minLength: 1, maxLength: 3 }),
      policy: fc.oneof(policies, openPolicies),
      catalogue: catalogues,
    });
    const name = fc.constantFrom("gpt", "gpt", "gpt-1", "none");
    const steps = fc.array(fc.tuple(fc.nat(2), name, surface, instant), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(many, steps, (world, asked) => {
        for (const [index, model, wanted, atMs] of asked) {
          const tenant = world.tenants[index % world.tenants.length] ?? tenantIn("SG");
          const request = { tenant, modelName: model, surface: wanted };
          const decision = authorise(request, world.policy, world.catalogue, atMs);
          const { outcome } = decide(inputsOf(request, atMs), world.policy, world.catalogue);
          const fresh = outcome.ok ? shownGrant(tenant.id, outcome.grant) : outcome.refusal;
          expect(decision.ok ? shownGrant(decision.value.tenantId, decision.value) : decision.refusal).toEqual(fresh);
        }
      }),
      { numRuns: 400 },
    );
  });

  it("an unknown fact never allows: what is permitted without it is permitted whatever it turns out to be", () => {
    const facts = ["registeredCountry", "headquartersCountry", "ultimateParentCountry", "endUse"] as const;
    const values = { endUse: ["software", "military"], country: ["CN", "HK", "SG", "JP", "US", "DE", "RU"] };
    let permits = 0;
    fc.assert(
      fc.property(worlds, openPolicies, fc.constantFrom(...facts), (world, policy, hidden) => {
        const ask = (value: string | undefined): readonly string[] => {
          const tenant = { ...world.tenant, facts: { ...world.tenant.facts, [hidden]: value } };
          const decision = authorise({ ...world, tenant }, policy, world.catalogue, world.atMs);
          return decision.ok ? decision.value.deployments.map(({ id }) => id) : [];
        };
        const without = ask(undefined);
        if (without.length > 0) permits += 1;
        for (const value of hidden === "endUse" ? values.endUse : values.country)
          expect(ask(value)).toEqual(expect.arrayContaining([...without]));
      }),
      runs,
    );
    expect(permits).toBeGreaterThan(100);
  });

  it("a rule more never admits a deployment more", () => {
    fc.assert(
      fc.property(worlds, rule, (world, more) => {
        const ids = (policy: Policy): readonly string[] => {
          const decision = authorise(world, policy, world.catalogue, world.atMs);
          return decision.ok ? decision.value.deployments.map(({ id }) => id) : [];
        };
        const before = ids(world.policy);
        for (const id of ids(policyWith(...world.policy.rules, more))) expect(before).toContain(id);
      }),
      runs,
    );
  });

  it("a refusal names a kind of rule that really refused, and the same one each time", () => {
    let denials = 0;
    fc.assert(
      fc.property(worlds, (world) => {
        const inputs = inputsOf(world, world.atMs);
        const { evaluations, outcome } = decide(inputs, world.policy, world.catalogue);
        expect(decide(inputs, world.policy, world.catalogue).outcome).toEqual(outcome);
        if (outcome.ok || outcome.refusal.kind !== "policy_denied") return;
        denials += 1;
        const { refusal } = outcome;
        const objections = evaluations.flatMap(({ subject, placement }) => [
          ...subject.objections,
          ...placement.candidates.flatMap((candidate) => candidate.objections),
        ]);
        expect(refusal.reasons.length).toBeGreaterThan(0);
        for (const reason of refusal.reasons)
          expect(objections.some((found) => objectionKind(found) === refusal.rule && found.rule === reason)).toBe(true);
      }),
      runs,
    );
    expect(denials).toBeGreaterThan(100);
  });
});

describe("the tenant's jurisdictions", () => {
  it("hold every known country and whole groups", () => {
    fc.assert(
      fc.property(tenants, (tenant) => {
        const { own } = viewOf(inputsOf({ tenant, modelName: "gpt", surface: "embeddings" }, 0).tenant, policyWith());
        const { registeredCountry, headquartersCountry, ultimateParentCountry } = tenant.facts;
        const facts = [registeredCountry, headquartersCountry, ultimateParentCountry];
        expect(facts.filter((code) => !isUnknown(code) && !own.has(code ?? ""))).toEqual([]);
        const hasChina = facts.some((code) => code !== undefined && china.has(code));
        for (const code of china) expect(own.has(code)).toBe(hasChina);
      }),
    );
  });
});
