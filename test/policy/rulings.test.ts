import { describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import { decide } from "../../src/policy/decide.ts";
import { inputsOf, plainRequest, type AuthoriseRequest, type RequestInputs } from "../../src/policy/decision-inputs.ts";
import type { Policy, Rule } from "../../src/region/policy.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueWith, dayMs, modelOf, partiesList, policyWith, policyWithLists, ruleOf, tenantIn } from "./policy-fixture.ts";

const catalogue = catalogueWith(
  [modelOf("gpt"), [{ countries: ["US"] }, { countries: ["JP"] }]],
  [modelOf("mini"), [{ countries: ["US"] }]],
  [modelOf("big", { tier: "frontier" }), [{ countries: ["US"] }]],
);
const asked = (tenant: Tenant, request: Partial<RequestInputs> = {}, modelName = "gpt"): AuthoriseRequest => ({
  tenant,
  modelName,
  surface: "chat.completions",
  request: Object.keys(request).length === 0 ? plainRequest : { ...plainRequest, ...request },
});

/** What is served, with what was lessened; or the refusal. */
function outcome(request: AuthoriseRequest, policy: Policy, atMs = 0): unknown {
  const decision = authorise(request, policy, catalogue, atMs);
  if (!decision.ok) return decision.refusal;
  const { model, degradations } = decision.value;
  return [model.id, ...degradations.map(({ toModel, without }) => toModel ?? without)];
}

const military = (scope: Partial<Rule> = {}): Rule =>
  ruleOf("end_use", { denied: ["military"], allowed: undefined }, scope as Partial<Extract<Rule, { kind: "end_use" }>>);
const soldier = tenantIn("SG", { facts: { endUse: "military" } });

describe("a rule that asks for a review", () => {
  const review = military({ ruling: { decision: "review" }, reasonCodes: ["dual-use"] });
  it("refuses whom it matches, and says that somebody is looking at it", () => {
    expect(outcome(asked(soldier), policyWith(review))).toEqual({
      kind: "policy_review",
      model: "gpt",
      rule: "end_use",
      reasons: ["end_use", "dual-use"],
      sentence: "Because of end_use.",
    });
    expect(outcome(asked(tenantIn("SG")), policyWith(review))).toEqual(["gpt"]);
  });

  it("gives way to a denial and to a fact that is not known", () => {
    const denial = ruleOf("tier", {}, { tiers: new Set(["standard"]), tenantsIn: new Set(["SG"]) });
    expect(outcome(asked(soldier), policyWith(review, denial))).toMatchObject({ kind: "policy_denied", rule: "tier" });
    const nationality = ruleOf("nationality", { denied: new Set(["KP"]), allowed: undefined });
    expect(outcome(asked(soldier), policyWith(review, nationality))).toMatchObject({ kind: "fact_unknown" });
  });
});

describe("a rule that lessens", () => {
  const toMini = military({ ruling: { decision: "degrade", toModel: "mini" } });
  const without = military({ id: "without", ruling: { decision: "degrade", without: "log_probabilities" } });

  it("lets the lesser model answer, by all the rules that hold for it", () => {
    expect(outcome(asked(soldier), policyWith(toMini))).toEqual(["mini", "mini"]);
    expect(outcome(asked(tenantIn("SG")), policyWith(toMini))).toEqual(["gpt"]);
    const closed = ruleOf("weights_location", { neverIn: new Set(["US"]) }, { models: new Set(["mini"]) });
    expect(outcome(asked(soldier), policyWith(toMini, closed))).toMatchObject({ kind: "policy_denied", model: "mini" });
  });

  it("leaves the log probabilities out, also together with another model", () => {
    expect(outcome(asked(soldier), policyWith(without))).toEqual(["gpt", "log_probabilities"]);
    expect(outcome(asked(soldier), policyWith(toMini, without))).toEqual(["mini", "mini", "log_probabilities"]);
  });

  it("gives way to whatever refuses, a review included", () => {
    expect(outcome(asked(soldier), policyWith(toMini, military({ id: "b" })))).toMatchObject({ kind: "policy_denied" });
    expect(outcome(asked(soldier), policyWith(toMini, military({ id: "b", ruling: { decision: "review" } })))).toMatchObject({
      kind: "policy_review",
    });
  });

  it("denies where it leads in a circle, or to a model that is not there", () => {
    const back = military({ id: "back", models: new Set(["mini"]), ruling: { decision: "degrade", toModel: "gpt" } });
    expect(outcome(asked(soldier), policyWith({ ...toMini, models: new Set(["gpt"]) }, back))).toMatchObject({
      kind: "policy_denied",
      rule: "end_use",
      reasons: ["back"],
    });
    const nowhere = military({ ruling: { decision: "degrade", toModel: "gone" } });
    expect(outcome(asked(soldier), policyWith(nowhere))).toMatchObject({ kind: "policy_denied" });
  });
});

describe("an exemption", () => {
  const lists = { trusted: partiesList(["Tenant A"]), others: partiesList([], 0, ["LEI:1"]) };
  const withdrawn = ruleOf("withdrawal", { openTo: new Set(["US"]) }, { models: new Set(["gpt"]) });
  const exempt = (lifts: readonly string[], partiesOn: readonly string[] = ["trusted"]): Rule =>
    ruleOf("exemption", { partiesOn, lifts: new Set(lifts) }, { lists: partiesOn });

  it("gives a withdrawn model back to the parties of a list, by name or identifier", () => {
    expect(outcome(asked(tenantIn("SG")), policyWithLists(lists, withdrawn))).toMatchObject({
      kind: "policy_denied",
      rule: "withdrawal",
    });
    expect(outcome(asked(tenantIn("US")), policyWithLists(lists, withdrawn))).toEqual(["gpt"]);
    expect(
      outcome(asked(tenantIn("US", { facts: { ultimateParentCountry: "SG" } })), policyWithLists(lists, withdrawn)),
    ).toMatchObject({
      rule: "withdrawal",
    });
    expect(outcome(asked(tenantIn("SG")), policyWithLists(lists, withdrawn, exempt(["withdrawal"])))).toEqual(["gpt"]);
    expect(
      outcome(asked(tenantIn("SG", { name: "Tenant B" })), policyWithLists(lists, withdrawn, exempt(["withdrawal"]))),
    ).toMatchObject({
      rule: "withdrawal",
    });
    const known = tenantIn("SG", { name: "Tenant B", identifiers: ["LEI: 1"] });
    expect(outcome(asked(known), policyWithLists(lists, withdrawn, exempt(["withdrawal"], ["others"])))).toEqual(["gpt"]);
  });

  it("lifts the rules that it names and no others, wherever it stands in the file", () => {
    const both = [withdrawn, military()];
    expect(outcome(asked(soldier), policyWithLists(lists, exempt(["withdrawal"]), ...both))).toMatchObject({ rule: "end_use" });
    expect(outcome(asked(soldier), policyWithLists(lists, exempt(["withdrawal", "end_use"]), ...both))).toEqual(["gpt"]);
  });

  it("of a list that is too old exempts nobody", () => {
    const policy = policyWithLists(lists, withdrawn, exempt(["withdrawal"]));
    expect(outcome(asked(tenantIn("SG")), policy, 30 * dayMs - 1)).toEqual(["gpt"]);
    expect(outcome(asked(tenantIn("SG")), policy, 30 * dayMs)).toMatchObject({ kind: "policy_denied", rule: "withdrawal" });
  });

  it("tells in the findings what it lifted", () => {
    const policy = policyWithLists(lists, withdrawn, exempt(["withdrawal"]));
    const [evaluation] = decide(inputsOf(asked(tenantIn("SG")), 0), policy, catalogue).evaluations;
    expect(evaluation?.findings()).toContainEqual(
      expect.objectContaining({ rule: "withdrawal", outcome: "match", decision: "allow", liftedBy: "exemption" }),
    );
  });
});

describe("a rule that reads a list that is too old", () => {
  it("refuses everybody it could be about", () => {
    const rule = ruleOf(
      "ownership",
      { ownersOn: ["listed"], share: { compare: "at_least", basisPoints: 5_000 } },
      { lists: ["listed"], makers: new Set(["openai"]) },
    );
    const owned = tenantIn("SG", {
      ownership: {
        owners: [{ id: "p", name: "P", kind: "person", country: "SG", identifiers: [] }],
        holdings: [{ owner: "p", of: "tenant", basisPoints: 10_000, evidence: "doc", asOf: "1970-01-01T00:00:00Z" }],
      },
    });
    const policy = policyWithLists({ listed: partiesList(["Bad"]) }, rule);
    expect(outcome(asked(owned), policy, 30 * dayMs - 1)).toEqual(["gpt"]);
    expect(outcome(asked(owned), policy, 30 * dayMs)).toMatchObject({
      kind: "fact_stale",
      fact: expect.stringContaining('"listed"'),
    });
    expect(outcome(asked(tenantIn("SG", { name: "bad" })), policy)).toMatchObject({ kind: "policy_denied", rule: "ownership" });
    expect(outcome(asked(tenantIn("SG")), policy)).toMatchObject({ kind: "fact_unknown" });
  });

  it("refuses before the day that its snapshot is dated, too: nobody can have taken it, and it would outlive its greatest age", () => {
    const rule = ruleOf(
      "ownership",
      { ownersOn: ["listed"], share: { compare: "at_least", basisPoints: 5_000 } },
      { lists: ["listed"] },
    );
    const nobody = tenantIn("SG", { ownership: { owners: [], holdings: [] } });
    const dispersed = tenantIn("SG", {
      ownership: {
        owners: [{ id: "d", name: "Free float", kind: "dispersed", country: undefined, identifiers: [] }],
        holdings: [{ owner: "d", of: "tenant", basisPoints: 10_000, evidence: "doc", asOf: "1970-01-01T00:00:00Z" }],
      },
    });
    const policy = policyWithLists({ listed: partiesList(["Bad"], 5 * dayMs) }, rule);
    for (const tenant of [nobody, dispersed])
      expect(outcome(asked(tenant), policy, 5 * dayMs - 1)).toMatchObject({
        kind: "fact_unknown",
        fact: expect.stringContaining("dated later than now"),
      });
    expect(outcome(asked(dispersed), policy, 5 * dayMs)).toEqual(["gpt"]);
  });

  it("refuses nobody whom it is not for, unless it is the list that says for whom it is", () => {
    const read = { lists: ["listed"], tenantsIn: new Set(["JP"]) };
    const rule = ruleOf("ownership", { ownersOn: ["listed"], share: { compare: "at_least", basisPoints: 5_000 } }, read);
    const aged = (tenant: Tenant, tenantLists: readonly string[]): unknown =>
      outcome(asked(tenant), policyWithLists({ listed: partiesList(["Bad"]) }, { ...rule, tenantLists }), 30 * dayMs);
    expect(aged(tenantIn("SG"), [])).toEqual(["gpt"]);
    expect(aged(tenantIn("SG"), ["listed"])).toMatchObject({ kind: "fact_stale" });
    expect(aged(tenantIn("JP"), [])).toMatchObject({ kind: "fact_stale" });
    expect(aged(tenantIn(undefined), [])).toMatchObject({ kind: "fact_stale" });
  });
});

describe("a rule that is suspended", () => {
  it("holds before and after, and not meanwhile", () => {
    const rule = military({ effectiveFromMs: 10, effectiveToMs: 50, suspensions: [{ fromMs: 20, toMs: 30 }] });
    const kinds = [9, 10, 19, 20, 29, 30, 49, 50].map((atMs) => Array.isArray(outcome(asked(soldier), policyWith(rule), atMs)));
    expect(kinds).toEqual([true, false, false, true, true, false, false, true]);
  });
});

describe("facts that age", () => {
  const rule = ruleOf("ownership", { ownersIn: new Set(["RU"]) }, { factsNoOlderThanMs: 10 * dayMs });
  const shownAt = (asOf: string) => ({ reference: "doc", asOf });
  const dated = tenantIn("SG", {
    factsEvidence: {
      registeredCountry: shownAt("1970-01-05T00:00:00Z"),
      headquartersCountry: shownAt("1970-01-03T00:00:00Z"),
      ultimateParentCountry: shownAt("1970-01-05T00:00:00Z"),
    },
  });

  it("are stale from the rule's age on, at the very instant, whatever was decided and remembered before", () => {
    const until = 12 * dayMs;
    expect(outcome(asked(dated), policyWith(rule), 5 * dayMs)).toEqual(["gpt"]);
    const policy = policyWith(rule);
    for (const [atMs, served] of [
      [0, true],
      [until - 1, true],
      [until, false],
      [until - 1, true],
      [until + dayMs, false],
    ] as const)
      expect(outcome(asked(dated), policy, atMs)).toEqual(
        served ? ["gpt"] : { kind: "fact_stale", model: "gpt", fact: "the country of your company's headquarters" },
      );
  });

  it("are stale where nothing dated shows them, and only where a rule asks for their age", () => {
    expect(outcome(asked(tenantIn("SG")), policyWith(rule))).toMatchObject({ kind: "fact_stale" });
    expect(outcome(asked(tenantIn("SG")), policyWith({ ...rule, factsNoOlderThanMs: undefined }))).toEqual(["gpt"]);
  });

  it("conflict where current documents disagree", () => {
    const contradictions = [{ value: "US", reference: "other", asOf: "1970-01-01T00:00:00Z" }];
    const torn = tenantIn("SG", {
      factsEvidence: { headquartersCountry: { ...shownAt("1970-01-01T00:00:00Z"), contradictions } },
    });
    const plain = { ...rule, factsNoOlderThanMs: undefined };
    expect(outcome(asked(torn), policyWith(plain))).toMatchObject({ kind: "fact_conflicting" });
    expect(outcome(asked(torn), policyWith())).toEqual(["gpt"]);
  });
});

describe("a tenant's verification", () => {
  it("admits until its evidence expires", () => {
    const tenant = tenantIn("SG", {
      verification: { state: "verified", since: "", evidence: "doc", expiresAt: "1970-01-02T00:00:00Z" },
    });
    expect(outcome(asked(tenant), policyWith(), dayMs - 1)).toEqual(["gpt"]);
    expect(outcome(asked(tenant), policyWith(), dayMs)).toEqual({
      kind: "verification_expired",
      expiredAt: "1970-01-02T00:00:00Z",
    });
    const unreadable = tenantIn("SG", { verification: { ...tenant.verification, expiresAt: "some day" } });
    expect(outcome(asked(unreadable), policyWith())).toMatchObject({ kind: "verification_expired" });
  });
});

describe("the end user's nationality", () => {
  const rule = ruleOf("nationality", { denied: new Set(["KP"]), allowed: undefined });
  it("is asked for where a rule asks, and unknown without a claim", () => {
    expect(outcome(asked(tenantIn("SG")), policyWith())).toEqual(["gpt"]);
    expect(outcome(asked(tenantIn("SG")), policyWith(rule))).toMatchObject({ kind: "fact_unknown" });
    expect(outcome(asked(tenantIn("SG"), { endUserNationality: "SG" }), policyWith(rule))).toEqual(["gpt"]);
    expect(outcome(asked(tenantIn("SG"), { endUserNationality: "KP" }), policyWith(rule))).toMatchObject({ rule: "nationality" });
    expect(outcome(asked(tenantIn("SG"), { endUserNationality: "XX" }), policyWith(rule))).toMatchObject({
      kind: "fact_unknown",
    });
    const only = ruleOf("nationality", { denied: new Set(), allowed: new Set(["US"]) });
    expect(outcome(asked(tenantIn("SG"), { endUserNationality: "SG" }), policyWith(only))).toMatchObject({ rule: "nationality" });
  });

  it("is asked for only of tenants that serve others, where the rule says so", () => {
    const publicOnly = { ...rule, audience: "public-facing" as const };
    expect(outcome(asked(tenantIn("SG")), policyWith(publicOnly))).toEqual(["gpt"]);
    expect(outcome(asked(tenantIn("SG", { facts: { audience: "public-facing" } })), policyWith(publicOnly))).toMatchObject({
      kind: "fact_unknown",
    });
    expect(outcome(asked(tenantIn("SG", { facts: { audience: undefined } })), policyWith(publicOnly))).toMatchObject({
      kind: "fact_unknown",
      fact: expect.stringContaining("serves others"),
    });
  });
});

describe("what a request asks for", () => {
  it("of hosted tools is refused, unless a rule allows the tool", () => {
    const some = ruleOf("hosted_tools", { allowed: new Set(["web_search"] as const) });
    const search = { hostedTools: ["web_search"] } as const;
    expect(outcome(asked(tenantIn("SG"), search), policyWith())).toMatchObject({
      kind: "policy_denied",
      rule: "hosted_tools",
      reasons: ["request:hosted_tools"],
    });
    expect(outcome(asked(tenantIn("SG"), search), policyWith(some))).toEqual(["gpt"]);
    expect(outcome(asked(tenantIn("SG"), { hostedTools: ["mcp", "web_search"] }), policyWith(some))).toMatchObject({
      reasons: ["hosted_tools"],
    });
    const elsewhere = { ...some, tenantsIn: new Set(["US"]) };
    expect(outcome(asked(tenantIn("SG"), search), policyWith(elsewhere))).toMatchObject({ reasons: ["request:hosted_tools"] });
  });

  it("are allowed by no rule of which nobody knows whether it is about the tenant, though an exemption lifts it", () => {
    const search = { hostedTools: ["web_search"] as const };
    const german = ruleOf("hosted_tools", { allowed: new Set(["web_search"] as const) }, { tenantsIn: new Set(["DE"]) });
    const lifting = ruleOf("exemption", { partiesOn: ["trusted"], lifts: new Set(["hosted_tools"]) }, { lists: ["trusted"] });
    const policy = policyWithLists({ trusted: partiesList(["Trusted"]) }, german, lifting);
    const trusted = (country: string | undefined): unknown =>
      outcome(asked(tenantIn(country, { name: "Trusted" }), search), policy);
    expect(trusted("DE")).toEqual(["gpt"]);
    for (const country of ["SG", undefined]) expect(trusted(country)).toMatchObject({ reasons: ["request:hosted_tools"] });
  });

  it("of log probabilities can be refused or left out; with shifted scores it is refused where no rule looks at it", () => {
    const extracts = { logProbabilities: "asked_with_logit_bias" } as const;
    const denies = ruleOf("log_probabilities", { onlyWithLogitBias: true });
    const strips = ruleOf(
      "log_probabilities",
      { onlyWithLogitBias: false },
      { ruling: { decision: "degrade", without: "log_probabilities" } },
    );
    expect(outcome(asked(tenantIn("SG"), extracts), policyWith())).toMatchObject({ reasons: ["request:weights_extraction"] });
    expect(outcome(asked(tenantIn("SG"), extracts), policyWith(denies))).toMatchObject({ reasons: ["log_probabilities"] });
    expect(outcome(asked(tenantIn("SG"), { logProbabilities: "asked" }), policyWith(denies))).toEqual(["gpt"]);
    expect(outcome(asked(tenantIn("SG"), { logProbabilities: "asked" }), policyWith(strips))).toEqual([
      "gpt",
      "log_probabilities",
    ]);
    expect(outcome(asked(tenantIn("SG"), extracts), policyWith(strips))).toEqual(["gpt", "log_probabilities"]);
    expect(outcome(asked(tenantIn("SG")), policyWith(strips))).toEqual(["gpt"]);
  });
});
