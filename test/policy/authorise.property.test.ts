import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authorise, isPermit } from "../../src/policy/authorise.ts";
import { decide, type Grant } from "../../src/policy/decide.ts";
import { inputsOf } from "../../src/policy/decision-inputs.ts";
import { objectionKind, type Finding } from "../../src/policy/finding.ts";
import { viewOf } from "../../src/policy/subject-view.ts";
import type { Policy } from "../../src/region/policy.ts";
import { china, policyWith, policyWithLists, tenantIn } from "./policy-fixture.ts";
import {
  catalogues,
  instant,
  lists,
  narrowingRule,
  openPolicies,
  policies,
  requests,
  surface,
  tenants,
  worlds,
} from "./random-worlds.ts";

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
