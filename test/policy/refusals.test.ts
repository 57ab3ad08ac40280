import { describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import type { Surface } from "../../src/region/catalogue.ts";
import { catalogueWith, modelOf, policyWith, ruleOf, tenantIn } from "./policy-fixture.ts";

const own = ruleOf("own_jurisdiction", {});
const ownership = ruleOf("ownership", { ownersIn: new Set(["CN"]) });
const endUse = ruleOf("end_use", { denied: ["military"], allowed: undefined });
const ask = (
  ...[tenant, policy, catalogue, modelName = "gpt", surface = "chat.completions"]: readonly [
    ReturnType<typeof tenantIn>,
    ReturnType<typeof policyWith>,
    ReturnType<typeof catalogueWith>,
    string?,
    Surface?,
  ]
): unknown => {
  const decision = authorise({ tenant, modelName, surface }, policy, catalogue, 0);
  return decision.ok ? "permit" : decision.refusal;
};

describe("which refusal is given", () => {
  const us = catalogueWith([modelOf("gpt", { aliases: ["gpt-latest"] }), [{ countries: ["US"] }]]);

  it("is that the tenant is not verified, before anything else", () => {
    for (const state of ["applied", "under_review", "suspended", "closed"] as const) {
      const tenant = tenantIn("SG", { verification: { state, since: "", evidence: undefined } });
      expect(ask(tenant, policyWith(), us, "no-such-model")).toEqual({ kind: "tenant_not_verified", state });
    }
  });

  it("is that the model is not there, under the name that the client wrote", () => {
    expect(ask(tenantIn("SG"), policyWith(), us, "gpt-9")).toEqual({ kind: "model_not_found", model: "gpt-9" });
    expect(ask(tenantIn("SG", { tiers: [] }), policyWith(), us, "gpt-latest")).toEqual({
      kind: "model_not_found",
      model: "gpt-latest",
    });
    expect(ask(tenantIn("CN"), policyWith(ownership), us, "gpt-latest")).toMatchObject({
      kind: "policy_denied",
      model: "gpt-latest",
    });
    for (const name of ["__proto__", "constructor", ""])
      expect(ask(tenantIn("SG"), policyWith(), us, name)).toMatchObject({ kind: "model_not_found" });
  });

  it("is that the model is not there where nobody hosts it", () => {
    expect(ask(tenantIn("SG"), policyWith(), catalogueWith([modelOf("gpt"), []]))).toEqual({
      kind: "model_not_found",
      model: "gpt",
    });
  });

  it("names what the tenant is before where the work would go", () => {
    const hongKong = catalogueWith([modelOf("gpt"), [{ countries: ["HK"] }, { countries: ["CN"] }]]);
    expect(ask(tenantIn("CN", { facts: { endUse: "military" } }), policyWith(own, endUse, ownership), hongKong)).toMatchObject({
      rule: "ownership",
    });
    expect(ask(tenantIn("CN", { facts: { endUse: "military" } }), policyWith(own, endUse), hongKong)).toMatchObject({
      rule: "end_use",
    });
    expect(ask(tenantIn("CN"), policyWith(own, endUse), hongKong)).toMatchObject({ rule: "own_jurisdiction" });
  });

  it("names what is certain before what is unknown", () => {
    const tenant = tenantIn(undefined, { facts: { endUse: "military" } });
    expect(ask(tenant, policyWith(own, endUse), us)).toMatchObject({ kind: "policy_denied", rule: "end_use" });
  });

  it("names the kind that refused the most deployments, with all its rules, and of equals the same one always", () => {
    const places = [{ countries: ["JP"] }, { countries: ["JP", "KR"] }, { countries: ["SG"] }];
    const catalogue = catalogueWith([modelOf("gpt"), places]);
    const never = ruleOf("weights_location", { neverIn: new Set(["JP"]) }, { id: "never-japan" });
    const deny = ruleOf("tenant_countries", { allow: undefined, deny: new Set(["JP", "KR", "SG"]) }, { id: "deny" });
    expect(ask(tenantIn("SG", { denyCountries: ["SG"] }), policyWith(never, own, deny), catalogue)).toEqual({
      kind: "policy_denied",
      model: "gpt",
      rule: "tenant_countries",
      reasons: ["deny", "tenant:countries"],
      sentence: "Because of tenant_countries.",
    });
    expect(ask(tenantIn("US", { denyCountries: ["SG"] }), policyWith(never), catalogue)).toMatchObject({
      rule: "weights_location",
      reasons: ["never-japan"],
    });
  });

  it("is that the surface is not served, where the policy permits a deployment that does not speak it", () => {
    const embeddings = { countries: ["US"], surfaces: ["embeddings"] } as const;
    const spoken = { countries: ["CN"] } as const;
    const tenant = tenantIn("CN");
    const refusal = { kind: "surface_not_served", model: "gpt", surface: "chat.completions" };
    expect(ask(tenant, policyWith(own), catalogueWith([modelOf("gpt"), [embeddings]]))).toEqual(refusal);
    expect(ask(tenant, policyWith(own), catalogueWith([modelOf("gpt"), [embeddings, spoken]]))).toEqual(refusal);
    expect(
      ask(tenant, policyWith(own), catalogueWith([modelOf("gpt"), [{ ...embeddings, countries: ["HK"] }, spoken]])),
    ).toMatchObject({ rule: "own_jurisdiction" });
    expect(ask(tenant, policyWith(own), catalogueWith([modelOf("gpt"), [embeddings]]), "gpt", "embeddings")).toBe("permit");
  });
});
