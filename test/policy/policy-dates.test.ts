import { describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import { catalogueWith, modelOf, policyWith, tenantIn } from "./policy-fixture.ts";

const catalogue = catalogueWith([modelOf("gpt"), [{ countries: ["US"] }]]);

describe("a policy with dates", () => {
  const policy = { ...policyWith(), effectiveFromMs: 1_000, effectiveToMs: 2_000, boundariesMs: [1_000, 2_000] };
  const outcomeAt = (atMs: number): string => {
    const decision = authorise(
      { tenant: tenantIn("SG"), modelName: "gpt", surface: "chat.completions" },
      policy,
      catalogue,
      atMs,
    );
    return decision.ok ? "permit" : decision.refusal.kind;
  };

  it("admits from its first millisecond until just before its last, and nothing outside of them", () => {
    expect([999, 1_000, 1_999, 2_000].map(outcomeAt)).toEqual(["policy_not_in_force", "permit", "permit", "policy_not_in_force"]);
  });

  it("admits nothing at a time that is none", () => {
    expect(outcomeAt(Number.NaN)).toBe("policy_not_in_force");
  });
});
