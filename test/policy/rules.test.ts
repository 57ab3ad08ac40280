import { describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import type { Catalogue } from "../../src/region/catalogue.ts";
import type { Policy } from "../../src/region/policy.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueWith, modelOf, policyWith, ruleOf, tenantIn, type Place } from "./policy-fixture.ts";

const atMs = Date.UTC(2026, 10, 23);
const own = ruleOf("own_jurisdiction", {});

/** The deployments of `gpt` that are permitted, by number; or the refusal. */
function decide(tenant: Tenant, policy: Policy, catalogue: Catalogue, at = atMs): unknown {
  const decision = authorise({ tenant, modelName: "gpt", surface: "chat.completions" }, policy, catalogue, at);
  return decision.ok ? decision.value.deployments.map(({ id }) => Number(id.split("/")[1])) : decision.refusal;
}

function gpt(...places: readonly (Place["countries"] | Place)[]): Catalogue {
  return catalogueWith([
    modelOf("gpt"),
    places.map((place) => (typeof place === "object" && "countries" in place ? place : { countries: place })),
  ]);
}

function denied(rule: string, ...reasons: readonly string[]): unknown {
  return expect.objectContaining({ kind: "policy_denied", model: "gpt", rule, reasons });
}

describe("where a model's weights must not be", () => {
  it("refuses the deployments that may process in one of the model's own countries", () => {
    const model = modelOf("gpt", { weightsNotIn: new Set(["HK"]) });
    const at = (...countries: readonly Place["countries"][]): Catalogue =>
      catalogueWith([model, countries.map((set) => ({ countries: set }))]);
    expect(decide(tenantIn("SG"), policyWith(), at(["SG", "HK"], ["JP"], "anywhere", ["US", "DE"]))).toEqual([2, 4]);
    expect(decide(tenantIn("SG"), policyWith(), at(["SG", "HK"], "anywhere"))).toEqual(denied("weights_location", "hosting:gpt"));
  });

  it("refuses by the policy's rule, for the makers, tiers and models that it names", () => {
    const at = gpt(["JP"], ["CN"]);
    expect(decide(tenantIn("SG"), policyWith(ruleOf("weights_location", { neverIn: new Set(["CN"]) })), at)).toEqual([1]);
    for (const scope of [
      { makers: new Set(["anthropic"]) },
      { tiers: new Set(["frontier"]) },
      { models: new Set(["other"]) },
      { tenantsIn: new Set(["US"]) },
    ]) {
      expect(decide(tenantIn("SG"), policyWith(ruleOf("weights_location", { neverIn: new Set(["CN"]) }, scope)), at)).toEqual([
        1, 2,
      ]);
    }
    const all = {
      makers: new Set(["openai"]),
      tiers: new Set(["standard"]),
      models: new Set(["gpt"]),
      tenantsIn: new Set(["SG"]),
    };
    expect(decide(tenantIn("SG"), policyWith(ruleOf("weights_location", { neverIn: new Set(["CN"]) }, all)), at)).toEqual([1]);
  });
});

describe("no serving from the tenant's own jurisdiction", () => {
  it("counts a group as one jurisdiction", () => {
    const at = gpt(["SG", "HK"], ["JP"], ["MO"], ["CN"], "anywhere");
    for (const country of ["CN", "HK", "MO"]) expect(decide(tenantIn(country), policyWith(own), at)).toEqual([2]);
    expect(decide(tenantIn("SG"), policyWith(own), at)).toEqual([2, 3, 4]);
  });

  it.each(["registeredCountry", "headquartersCountry", "ultimateParentCountry"] as const)("counts the %s", (fact) => {
    expect(decide(tenantIn("SG", { facts: { [fact]: "CN" } }), policyWith(own), gpt(["HK"], ["SG"], ["US"]))).toEqual([3]);
    expect(decide(tenantIn("SG", { facts: { [fact]: "CN" } }), policyWith(own), gpt(["HK"]))).toEqual(
      denied("own_jurisdiction", "own_jurisdiction"),
    );
  });

  it.each(["registeredCountry", "headquartersCountry", "ultimateParentCountry"] as const)(
    "refuses where the %s is unknown or is no country",
    (fact) => {
      for (const value of [undefined, "XX", "", "cn"]) {
        const refusal = decide(tenantIn("SG", { facts: { [fact]: value } }), policyWith(own), gpt(["US"]));
        expect(refusal).toMatchObject({ kind: "fact_unknown", model: "gpt", fact: expect.stringContaining("your company's") });
      }
    },
  );
});

describe("lists of countries", () => {
  it("keep a tenant's own deny list, with groups", () => {
    const at = gpt(["JP"], ["SG", "HK"], "anywhere", ["US"]);
    expect(decide(tenantIn("SG", { denyCountries: ["JP", "group:CN"] }), policyWith(), at)).toEqual([4]);
    expect(decide(tenantIn("SG", { denyCountries: ["JP", "US", "group:CN"] }), policyWith(), at)).toEqual(
      denied("tenant_countries", "tenant:countries"),
    );
  });

  it("refuse where an entry of the deny list means nothing", () => {
    for (const entry of ["group:moon", "XX", "Japan"]) {
      expect(decide(tenantIn("SG", { denyCountries: [entry] }), policyWith(), gpt(["US"]))).toMatchObject({
        kind: "fact_unknown",
        fact: expect.stringContaining(entry),
      });
    }
  });

  it("keep a tenant's own allow list, in which everything must lie", () => {
    const at = gpt(["JP"], ["JP", "KR"], "anywhere", ["US"]);
    expect(decide(tenantIn("SG", { allowCountries: ["JP", "group:CN"] }), policyWith(), at)).toEqual([1]);
    expect(decide(tenantIn("SG", { allowCountries: [] }), policyWith(), at)).toEqual(
      denied("tenant_countries", "tenant:countries"),
    );
  });

  it("can be the policy's, for tenants of some countries", () => {
    const rule = ruleOf(
      "tenant_countries",
      { allow: new Set(["DE", "FR"]), deny: new Set(["FR"]) },
      { tenantsIn: new Set(["DE"]) },
    );
    const at = gpt(["DE"], ["FR"], ["US"]);
    expect(decide(tenantIn("DE"), policyWith(rule), at)).toEqual([1]);
    expect(decide(tenantIn("SG"), policyWith(rule), at)).toEqual([1, 2, 3]);
    expect(decide(tenantIn("SG", { facts: { ultimateParentCountry: undefined } }), policyWith(rule), at)).toMatchObject({
      kind: "fact_unknown",
    });
  });
});

describe("who owns the tenant", () => {
  const rule = ruleOf("ownership", { ownersIn: new Set(["CN", "HK", "MO", "RU"]) });
  it.each(["registeredCountry", "headquartersCountry", "ultimateParentCountry"] as const)(
    "refuses by the %s, even where another fact is unknown",
    (fact) => {
      expect(decide(tenantIn("SG", { facts: { [fact]: "HK" } }), policyWith(rule), gpt(["US"]))).toEqual(
        denied("ownership", "ownership"),
      );
      expect(decide(tenantIn(undefined, { facts: { [fact]: "HK" } }), policyWith(rule), gpt(["US"]))).toEqual(
        denied("ownership", "ownership"),
      );
      expect(decide(tenantIn("SG", { facts: { [fact]: undefined } }), policyWith(rule), gpt(["US"]))).toMatchObject({
        kind: "fact_unknown",
      });
    },
  );

  it("lets others pass", () => {
    expect(decide(tenantIn("SG"), policyWith(rule), gpt(["US"]))).toEqual([1]);
  });
});

describe("the model's tier", () => {
  it("must have been bought, or the model is not there", () => {
    expect(decide(tenantIn("SG", { tiers: ["frontier"] }), policyWith(), gpt(["US"]))).toEqual({
      kind: "model_not_found",
      model: "gpt",
    });
  });

  it("can be closed to countries", () => {
    const rule = ruleOf("tier", {}, { tiers: new Set(["standard"]), tenantsIn: new Set(["RU"]) });
    expect(decide(tenantIn("RU"), policyWith(rule), gpt(["US"]))).toEqual(denied("tier", "tier"));
    expect(decide(tenantIn("SG", { facts: { headquartersCountry: "RU" } }), policyWith(rule), gpt(["US"]))).toEqual(
      denied("tier", "tier"),
    );
    expect(decide(tenantIn("SG"), policyWith(rule), gpt(["US"]))).toEqual([1]);
    expect(decide(tenantIn("SG", { facts: { headquartersCountry: undefined } }), policyWith(rule), gpt(["US"]))).toMatchObject({
      kind: "fact_unknown",
    });
  });
});

describe("the declared end use", () => {
  const rule = ruleOf("end_use", { denied: ["military", "nuclear weapons"], allowed: undefined });
  it.each(["military", "Military-logistics", "for MILITARY use", "nuclear   weapons"])("refuses %j", (endUse) => {
    expect(decide(tenantIn("SG", { facts: { endUse } }), policyWith(rule), gpt(["US"]))).toEqual(denied("end_use", "end_use"));
  });
  it.each(["software", "paramilitary history", "nuclear medicine"])("lets %j pass", (endUse) => {
    expect(decide(tenantIn("SG", { facts: { endUse } }), policyWith(rule), gpt(["US"]))).toEqual([1]);
  });
  it("refuses an unknown one where a rule asks, and only there", () => {
    for (const endUse of [undefined, "", " - "]) {
      expect(decide(tenantIn("SG", { facts: { endUse } }), policyWith(rule), gpt(["US"]))).toMatchObject({
        kind: "fact_unknown",
        fact: expect.stringContaining("end use"),
      });
      expect(decide(tenantIn("SG", { facts: { endUse } }), policyWith(), gpt(["US"]))).toEqual([1]);
    }
  });
  it("can be one of a list alone", () => {
    const only = ruleOf("end_use", { denied: [], allowed: ["Customer support"] });
    expect(decide(tenantIn("SG", { facts: { endUse: "customer-support" } }), policyWith(only), gpt(["US"]))).toEqual([1]);
    expect(decide(tenantIn("SG", { facts: { endUse: "customer support and more" } }), policyWith(only), gpt(["US"]))).toEqual(
      denied("end_use", "end_use"),
    );
  });
});

describe("the least grade of evidence", () => {
  const at = gpt(
    { countries: ["US"], evidence: "attested" },
    { countries: ["JP"], evidence: "contractual-geography" },
    { countries: ["US"], evidence: "contractual-zone" },
    { countries: "anywhere", evidence: "none" },
  );
  const least = ruleOf("evidence", { least: "contractual-zone" });
  it("is the stricter of the policy's and the tenant's", () => {
    expect(decide(tenantIn("SG"), policyWith(), at)).toEqual([1, 2, 3, 4]);
    expect(decide(tenantIn("SG"), policyWith(least), at)).toEqual([1, 2, 3]);
    expect(decide(tenantIn("SG", { leastEvidence: "none" }), policyWith(least), at)).toEqual([1, 2, 3]);
    expect(decide(tenantIn("SG", { leastEvidence: "contractual-geography" }), policyWith(least), at)).toEqual([1, 2]);
    expect(decide(tenantIn("SG", { leastEvidence: "attested" }), policyWith(least), at)).toEqual([1]);
  });
  it("refuses where nothing reaches it", () => {
    const weak = gpt({ countries: ["JP"], evidence: "contractual-zone" });
    expect(decide(tenantIn("SG", { leastEvidence: "attested" }), policyWith(least), weak)).toEqual(
      denied("evidence", "tenant:evidence"),
    );
  });
  it("is not reached by a grade that nobody knows", () => {
    const made = gpt({ countries: ["JP"], evidence: "sworn" as never });
    expect(decide(tenantIn("SG"), policyWith(ruleOf("evidence", { least: "none" })), made)).toEqual(
      denied("evidence", "evidence"),
    );
  });
});

describe("a dated rule", () => {
  const rule = ruleOf("ownership", { ownersIn: new Set(["SG"]) }, { effectiveFromMs: 1_000, effectiveToMs: 2_000 });
  it.each([
    [999, [1]],
    [1_000, denied("ownership", "ownership")],
    [1_999, denied("ownership", "ownership")],
    [2_000, [1]],
  ])("at %i ms", (at, expected) => {
    const policy = policyWith(rule);
    const catalogue = gpt(["US"]);
    const tenant = tenantIn("SG");
    // Asked at other instants before, so that what is remembered of them cannot show.
    for (const before of [0, 1_500, 3_000]) decide(tenant, policy, catalogue, before);
    expect(decide(tenant, policy, catalogue, at)).toEqual(expected);
  });
  it("holds at a time that is none", () => {
    expect(decide(tenantIn("SG"), policyWith(rule), gpt(["US"]), NaN)).toEqual(denied("ownership", "ownership"));
  });
});

describe("a deployment whose countries are unknown", () => {
  it("is never used, even where no rule asks", () => {
    expect(decide(tenantIn("SG"), policyWith(), gpt("unknown", ["JP"]))).toEqual([2]);
    expect(decide(tenantIn("SG"), policyWith(), gpt("unknown", []))).toMatchObject({
      kind: "fact_unknown",
      fact: "where this request would be processed",
    });
  });
});
