import * as fc from "fast-check";
import { expect, it } from "vitest";
import { inputsOf } from "../../src/policy/decision-inputs.ts";
import { Horizon } from "../../src/policy/horizon.ts";
import { ListedParties } from "../../src/policy/listed-parties.ts";
import { RuleIndex } from "../../src/policy/rule-index.ts";
import { viewOf } from "../../src/policy/subject-view.ts";
import { judgeTenant } from "../../src/policy/tenant-rules.ts";
import type { Policy, ShareOperator } from "../../src/region/policy.ts";
import type { Ownership } from "../../src/tenant/ownership.ts";
import { policyWith, ruleOf } from "./policy-fixture.ts";
import { instant, openPolicies, ownerships, requests, tenants } from "./random-worlds.ts";

const share = fc.record<ShareOperator>({
  compare: fc.constantFrom("at_least", "more_than"),
  basisPoints: fc.constantFrom(0, 1, 2_500, 5_000, 10_000),
});
const ownerRule = fc
  .tuple(share, fc.constantFrom("RU", "KP"), fc.constantFrom(undefined, 1, 4, 8))
  .map(([wanted, country, factsNoOlderThanMs]) =>
    ruleOf("ownership", { ownersIn: new Set([country]), share: wanted }, { factsNoOlderThanMs }),
  );
/** Of rules about owners what is missing or old weighs most, and few of any rules are such. */
const aboutOwners: fc.Arbitrary<Policy> = fc
  .array(ownerRule, { minLength: 1, maxLength: 5 })
  .map((rules) => policyWith(...rules.map((rule, number) => ({ ...rule, id: `rule ${number}` }))));

/** Nothing is missing, but for how old it is. */
const resolved: fc.Arbitrary<Ownership> = fc.integer({ min: -5, max: 5 }).map((asOfMs) => ({
  owners: [{ id: "p", name: "Somebody", kind: "person", country: "SG", identifiers: [] }],
  holdings: [{ owner: "p", of: "tenant", basisPoints: 10_000, evidence: "doc", asOf: new Date(asOfMs).toISOString() }],
}));

it("an index of rules is silent of no rule that finds something, and passes over none that is about the subject", () => {
  const world = fc.record({
    policy: fc.oneof(openPolicies, aboutOwners),
    tenant: fc
      .tuple(tenants, fc.oneof(ownerships, resolved, fc.constant(undefined)))
      .map(([tenant, ownership]) => ({ ...tenant, ownership })),
    request: requests,
    atMs: instant,
  });
  const seen = { silent: 0, open: 0, found: 0, passedOver: 0 };
  fc.assert(
    fc.property(world, ({ policy, tenant, request, atMs }) => {
      const inputs = inputsOf({ tenant, modelName: "gpt", surface: "embeddings", request }, atMs);
      const view = viewOf(inputs.tenant, policy);
      const situation = { inputs, view, policy, listed: new ListedParties(policy), horizon: new Horizon(atMs) };
      const { silent, open } = new RuleIndex(policy.rules, policy, atMs).sift(situation);
      for (const [number, rule] of policy.rules.entries()) {
        const found = judgeTenant(rule, situation);
        if (open.has(number)) {
          expect(silent.has(number)).toBe(false);
          seen.open += 1;
          if (found !== undefined && found.outcome !== "no_match") seen.found += 1;
        } else if (silent.has(number)) {
          expect(found?.outcome).toBe("no_match");
          seen.silent += 1;
        } else {
          expect(found).toBeUndefined();
          seen.passedOver += 1;
        }
      }
    }),
    { numRuns: 4_000 },
  );
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(500);
});
