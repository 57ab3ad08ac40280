import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authorise, isPermit } from "../../src/policy/authorise.ts";
import { decide, type Grant } from "../../src/policy/decide.ts";
import { inputsOf, plainRequest, type RequestInputs } from "../../src/policy/decision-inputs.ts";
import { objectionKind, type Finding } from "../../src/policy/finding.ts";
import { viewOf } from "../../src/policy/subject-view.ts";
import { evidenceGrades, type Catalogue, type Surface } from "../../src/region/catalogue.ts";
import { isLiftable } from "../../src/region/liftable.ts";
import type { Policy, Rule, Ruling } from "../../src/region/policy.ts";
import type { Ownership } from "../../src/tenant/ownership.ts";
import type { FactEvidence, Tenant } from "../../src/tenant/tenant.ts";
import {
  catalogueWith,
  china,
  modelOf,
  partiesList,
  policyWith,
  policyWithLists,
  ruleOf,
  tenantIn,
  type Place,
} from "./policy-fixture.ts";

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
  suspensions: fc.array(
    fc.tuple(instant, instant).map(([fromMs, toMs]) => ({ fromMs, toMs })),
    { maxLength: 1 },
  ),
  audience: rarely(fc.constantFrom("internal" as const, "public-facing" as const)),
  factsNoOlderThanMs: rarely(fc.integer({ min: 1, max: 8 })),
  makers: maybe(setOf(maker)),
  tiers: maybe(setOf(tier)),
  tenantsIn: maybe(setOf(country)),
});

/** What a rule about tenants or requests may do beside denying. */
const ruling: fc.Arbitrary<Ruling> = fc.constantFrom<Ruling>(
  { decision: "deny" },
  { decision: "deny" },
  { decision: "review" },
  { decision: "degrade", without: "log_probabilities" },
  { decision: "degrade", toModel: "claude" },
  { decision: "degrade", toModel: "gpt" },
);

/** Rules that only refuse: with one more, less is served. */
const refusingRule: fc.Arbitrary<Rule> = scope.chain((narrowing) =>
  fc.oneof(
    setOf(country).map((neverIn) => ruleOf("weights_location", { neverIn }, narrowing)),
    fc
      .tuple(maybe(setOf(country)), setOf(country))
      .map(([allow, deny]) => ruleOf("tenant_countries", { allow, deny }, narrowing)),
    setOf(country).map((ownersIn) => ruleOf("ownership", { ownersIn }, { ...narrowing, tenantsIn: undefined })),
    setOf(country).map((ownersIn) =>
      ruleOf("ownership", { ownersIn, ownersOn: ["listed"], share: { compare: "at_least", basisPoints: 5_000 } }, narrowing),
    ),
    setOf(country).map((tenantsIn) => ruleOf("tier", {}, { ...narrowing, tenantsIn })),
    maybe(setOf(country)).map((openTo) => ruleOf("withdrawal", { openTo }, narrowing)),
    fc.constant(ruleOf("end_use", { denied: ["military"], allowed: undefined }, narrowing)),
    setOf(country).map((denied) => ruleOf("nationality", { denied, allowed: undefined }, narrowing)),
    fc.constant(ruleOf("hosted_tools", { allowed: new Set(["web_search"] as const) }, narrowing)),
    fc.boolean().map((onlyWithLogitBias) => ruleOf("log_probabilities", { onlyWithLogitBias }, narrowing)),
    grade.map((least) => ruleOf("evidence", { least }, narrowing)),
  ),
);

/** A rule about what a request asks for stands in the place of the refusal that holds where there is none, so it may allow. */
const narrowingRule: fc.Arbitrary<Rule> = refusingRule.filter(
  ({ kind }) => kind !== "hosted_tools" && kind !== "log_probabilities",
);

const exemption: fc.Arbitrary<Rule> = fc
  .tuple(scope, setOf(fc.constantFrom("rule 0", "rule 1", "rule 2", "rule 3", "own", "rule 4", "rule 5")))
  .map(([narrowing, lifts]) =>
    ruleOf("exemption", { partiesOn: ["trusted"], lifts }, { ...narrowing, tenantsIn: undefined, lists: ["trusted"] }),
  );

const rule: fc.Arbitrary<Rule> = fc.oneof(
  { weight: 5, arbitrary: refusingRule },
  {
    weight: 3,
    arbitrary: fc
      .tuple(refusingRule, ruling)
      .map(([base, after]) =>
        isLiftable(base.kind) && (base.kind !== "hosted_tools" || after.decision !== "degrade")
          ? { ...base, ruling: after }
          : base,
      ),
  },
  { weight: 1, arbitrary: exemption },
);

const lists = { trusted: partiesList(["Trusted"]), listed: partiesList(["Listed"]) };

/** A file's ids are unique. */
function numbered(rules: readonly Rule[]): Rule[] {
  return rules.map((each, index) => ({ ...each, id: `rule ${index}` }));
}

const policies: fc.Arbitrary<Policy> = fc
  .array(rule, { maxLength: 5 })
  .map((rules) => policyWithLists(lists, ruleOf("own_jurisdiction", {}, { id: "own" }), ...numbered(rules)));

/** Without the rule that refuses every tenant of which a country is unknown, so that the other rules must do so. */
const openPolicies: fc.Arbitrary<Policy> = fc
  .array(rule, { minLength: 1, maxLength: 4 })
  .map((rules) => policyWithLists(lists, ...numbered(rules)));

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

const dateOf = (atMs: number): string => new Date(atMs).toISOString();
const shown: fc.Arbitrary<FactEvidence> = fc.tuple(fc.integer({ min: -5, max: 5 }), rarely(country)).map(([asOfMs, other]) => ({
  reference: "doc",
  asOf: dateOf(asOfMs),
  ...(other === undefined ? {} : { contradictions: [{ value: other, reference: "other", asOf: dateOf(asOfMs) }] }),
}));
const ownerships: fc.Arbitrary<Ownership> = fc
  .tuple(
    country,
    fc.constantFrom("Somebody", "Somebody", "Listed"),
    fc.constantFrom(4_000, 6_000, 10_000),
    fc.integer({ min: -5, max: 5 }),
  )
  .map(([at, name, basisPoints, asOfMs]) => ({
    owners: [{ id: "p", name, kind: "person", country: at, identifiers: [] }],
    holdings: [{ owner: "p", of: "tenant", basisPoints, evidence: "doc", asOf: dateOf(asOfMs) }],
  }));

const requests: fc.Arbitrary<RequestInputs> = fc.oneof(
  { weight: 3, arbitrary: fc.constant(plainRequest) },
  {
    weight: 2,
    arbitrary: fc.record<RequestInputs>({
      hostedTools: fc.constantFrom([], [], ["web_search"], ["mcp"]),
      logProbabilities: fc.constantFrom("none", "asked", "asked_with_logit_bias"),
      endUserNationality: fc.option(country),
    }),
  },
);

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
    name: fc.constantFrom("Tenant A", "Tenant A", "Trusted", "Listed"),
    ownership: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 5, arbitrary: ownerships }),
    factsEvidence: fc.record({
      registeredCountry: maybe(shown),
      headquartersCountry: maybe(shown),
      ultimateParentCountry: maybe(shown),
      endUse: maybe(shown),
    }),
    expiresAt: rarely(instant.map(dateOf)),
    audience: fc.constantFrom("internal" as const, "public-facing" as const, undefined),
  })
  .map(
    ({
      seat,
      expiresAt,
      audience,
      registeredCountry = seat,
      headquartersCountry = seat,
      ultimateParentCountry = seat,
      endUse,
      ...others
    }) => {
      const parent = ultimateParentCountry === "unknown" ? undefined : ultimateParentCountry;
      return tenantIn(seat, {
        ...others,
        verification: { state: "verified", since: "", evidence: "doc", expiresAt },
        facts: { registeredCountry, headquartersCountry, ultimateParentCountry: parent, endUse, audience },
      });
    },
  );

const modelName = fc.constantFrom("gpt", "gpt-1", "claude", "claude-1", "none");
const worlds = fc.record({
  request: requests,
  tenant: tenants,
  policy: policies,
  catalogue: catalogues,
  modelName,
  surface,
  atMs: instant,
});
const runs = { numRuns: 1_500 };

function shownGrant(tenantId: string, { deployments, rules, refused, degradations }: Grant): unknown {
  return { tenantId, deployments, rules, degradations, refused: refused.map(({ deployment }) => deployment) };
}

/** By the rule's id, or by one of its author's codes. */
function named(findings: readonly Finding[], kind: string, reason: string): boolean {
  return findings.some((found) => objectionKind(found) === kind && (found.rule === reason || found.codes.includes(reason)));
}

function isUnknown(value: string | undefined): boolean {
  return value === undefined || value === "XX";
}

describe("over random catalogues, policies and tenants", () => {
  it("no permit holds a deployment that may meet the tenant's jurisdiction, its denied countries or the weights' ones", () => {
    let permits = 0;
    fc.assert(
      fc.property(worlds, ({ tenant, policy, catalogue, modelName: name, surface: wanted, request, atMs }) => {
        const decision = authorise({ tenant, modelName: name, surface: wanted, request }, policy, catalogue, atMs);
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
        expect(Date.parse(tenant.verification.expiresAt ?? "9999-01-01T00:00:00Z")).toBeGreaterThan(atMs);
        const isExempt = policy.rules.some(({ kind }) => kind === "exemption") && tenant.name === "Trusted";
        if (!isExempt) for (const tool of request.hostedTools) expect(tool).toBe("web_search");
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
    const steps = fc.array(fc.tuple(fc.nat(2), name, surface, instant, requests), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(many, steps, (world, asked) => {
        for (const [index, model, wanted, atMs, what] of asked) {
          const tenant = world.tenants[index % world.tenants.length] ?? tenantIn("SG");
          const request = { tenant, modelName: model, surface: wanted, request: what };
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
          const { factsEvidence, facts } = world.tenant;
          const tenant = {
            ...world.tenant,
            facts: { ...facts, [hidden]: value },
            // What other documents say instead would make a fact that is known a conflicting one.
            factsEvidence: { ...factsEvidence, [hidden]: undefined },
          };
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
      fc.property(worlds, narrowingRule, (world, more) => {
        const ids = (policy: Policy): readonly string[] => {
          const decision = authorise(world, policy, world.catalogue, world.atMs);
          return decision.ok ? decision.value.deployments.map(({ id }) => id) : [];
        };
        const before = ids(world.policy);
        const added = policyWithLists(lists, ...world.policy.rules, { ...more, id: "added" });
        for (const id of ids(added)) expect(before).toContain(id);
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
          ...subject.degradations,
          ...placement.candidates().flatMap((candidate) => candidate.objections),
        ]);
        expect(refusal.reasons.length).toBeGreaterThan(0);
        for (const reason of refusal.reasons) expect(named(objections, refusal.rule, reason)).toBe(true);
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
        const told = (["registeredCountry", "headquartersCountry", "ultimateParentCountry"] as const)
          .filter((fact) => tenant.facts[fact] !== undefined)
          .flatMap((fact) => (tenant.factsEvidence?.[fact]?.contradictions ?? []).map(({ value }) => value));
        const hasChina = [...facts, ...told].some((code) => code !== undefined && china.has(code));
        for (const code of china) expect(own.has(code)).toBe(hasChina);
      }),
    );
  });
});
