import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CompiledPolicy } from "../../src/policy/compiled-policy.ts";
import { decide, decideBy } from "../../src/policy/decide.ts";
import { inputsOf } from "../../src/policy/decision-inputs.ts";
import { objectionKind } from "../../src/policy/finding.ts";
import { lift, weigh } from "../../src/policy/precedence.ts";
import { refusalOf } from "../../src/policy/refusal-of.ts";
import { evaluateNaively } from "./naive-evaluator.ts";
import { catalogues, instant, modelName, openPolicies, policies, requests, surface, tenants } from "./random-worlds.ts";

describe("a compiled policy", () => {
  it("says of every tenant, model and deployment what its rules say when they are asked one after the other", () => {
    const world = fc.record({
      policy: fc.oneof(policies, openPolicies),
      catalogue: catalogues,
      // Several, so that what was worked out for one serves another.
      asked: fc.array(fc.record({ tenant: tenants, modelName, surface, request: requests }), { minLength: 1, maxLength: 6 }),
      atMs: instant,
    });
    const seen = { permits: 0, refusals: 0, replaced: 0, lifted: 0, uncertain: 0 };
    fc.assert(
      fc.property(world, ({ policy, catalogue, asked, atMs }) => {
        const compiled = new CompiledPolicy(policy, catalogue, atMs);
        const { rulesById } = compiled;
        for (const one of asked) {
          const inputs = inputsOf(one, atMs);
          const { outcome, evaluations } = decideBy(inputs, compiled);
          for (const evaluation of evaluations) {
            const naive = evaluateNaively(inputs, evaluation.model, policy, catalogue);
            // The checks that stand in no file are not compiled.
            const unwritten = evaluation.findings().filter(({ rule }) => rule.includes(":"));
            const findings = lift([...unwritten, ...naive.findings], rulesById);
            expect(evaluation.findings()).toEqual(findings);
            const subject = weigh(findings);
            expect(evaluation.subject).toEqual(subject);
            const named = evaluation.rules.filter((rule) => !rule.includes(":"));
            expect(named).toEqual(naive.findings.map(({ rule }) => rule));
            const candidates = evaluation.placement.candidates();
            expect(
              candidates.map(({ deployment, objections }) => ({
                deployment: deployment.id,
                objections: objections.map(({ rule, reason }) => ({ rule, reason })),
              })),
            ).toEqual(naive.candidates);
            const admitted = naive.candidates.filter(({ objections }) => objections.length === 0);
            expect(evaluation.placement.admitted.map(({ id }) => id)).toEqual(admitted.map(({ deployment }) => deployment));
            expect(evaluation.placement.refused).toEqual(
              candidates.flatMap(({ deployment, objections: [first] }) =>
                first === undefined
                  ? []
                  : [{ deployment: deployment.id, kind: objectionKind(first), rule: first.rule, reason: first.reason }],
              ),
            );
            // As if no two deployments were of one class.
            const classes = candidates.map(({ deployment, objections }) => ({
              deployments: 1,
              speaksSurface: deployment.surfaces.has(one.surface),
              objections,
            }));
            const apart = { ...evaluation, placement: { ...evaluation.placement, classes } };
            expect(refusalOf(evaluation, "model")).toEqual(refusalOf(apart, "model"));
            if (evaluation.replacement !== undefined) seen.replaced += 1;
            if (findings.some(({ liftedBy }) => liftedBy !== undefined)) seen.lifted += 1;
            if (findings.some(({ fact }) => fact !== undefined)) seen.uncertain += 1;
          }
          if (outcome.ok) seen.permits += 1;
          else seen.refusals += 1;
        }
      }),
      { numRuns: 3_000 },
    );
    for (const times of Object.values(seen)) expect(times).toBeGreaterThan(5);
  }, 60_000);

  it("holds a decision for no longer than nothing changes", () => {
    const world = fc.record({ policy: openPolicies, catalogue: catalogues, tenant: tenants, modelName, surface });
    let outlived = 0;
    fc.assert(
      fc.property(world, instant, fc.integer({ min: 1, max: 10 }), ({ policy, catalogue, ...asked }, atMs, laterMs) => {
        const now = decide(inputsOf(asked, atMs), policy, catalogue);
        if (atMs + laterMs >= now.untilMs) {
          outlived += 1;
          return;
        }
        const later = decide(inputsOf(asked, atMs + laterMs), policy, catalogue);
        expect(later.outcome).toEqual(now.outcome);
      }),
      { numRuns: 1_500 },
    );
    expect(outlived).toBeGreaterThan(100);
  });
});
