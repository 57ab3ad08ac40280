import { describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import { plainRequest, type RequestInputs } from "../../src/policy/decision-inputs.ts";
import type { World } from "../../src/policy/world.ts";
import type { Surface } from "../../src/region/catalogue.ts";
import type { Holding, Ownership } from "../../src/tenant/ownership.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueOf, shippedFiles } from "../region/regions-fixture.ts";
import { tenantIn } from "./policy-fixture.ts";

const shipped = catalogueOf(shippedFiles());
const { policy } = shipped;

/** The shipped policy as an operator edits it. */
function shippedWith(find: string, replace: string): World {
  return catalogueOf(
    shippedFiles().map(({ path, text }) => {
      if (!path.endsWith("/policy.toml")) return { path, text };
      expect(text).toContain(find);
      return { path, text: text.replace(find, replace) };
    }),
  );
}

/** The model that answers; or the refusal. */
function ask(tenant: Tenant, modelName: string, at: string, request: Partial<RequestInputs> = {}, world = shipped): unknown {
  const surface: Surface = modelName.startsWith("claude") ? "messages" : "chat.completions";
  const asked = { tenant, modelName, surface, request: { ...plainRequest, ...request } };
  const decision = authorise(asked, world.policy, world.catalogue, Date.parse(at));
  if (!decision.ok) return decision.refusal;
  const without = decision.value.degradations.flatMap((each) => each.without ?? []);
  return [decision.value.model.id, ...without].join(" without ");
}

function ownedBy(name: string, percent: number, asOf: string): Ownership {
  const holding = (owner: string, share: number): Holding => ({
    owner,
    of: "tenant",
    basisPoints: share * 100,
    evidence: "register",
    asOf,
  });
  return {
    owners: [
      { id: "named", name, kind: "company", country: "SG", identifiers: [] },
      { id: "rest", name: "Somebody", kind: "person", country: "SG", identifiers: [] },
    ],
    holdings: [holding("named", percent), holding("rest", 100 - percent)],
  };
}

describe("the model that was withdrawn in June 2026", () => {
  const foreign = tenantIn("DE");
  const trusted = tenantIn("DE", { name: "Example Trusted Research, GmbH" });
  it("was there for everybody before, for the United States alone then, and for the trusted after a week", () => {
    const model = "claude-opus-4-5";
    const withdrawn = { kind: "policy_denied", rule: "withdrawal", reasons: ["june-2026-withdrawal", "maker-notice-2026-06-12"] };
    expect(ask(foreign, model, "2026-06-11T23:59:59.999Z")).toBe(model);
    expect(ask(foreign, model, "2026-06-12T00:00:00Z")).toMatchObject(withdrawn);
    expect(ask(trusted, model, "2026-06-18T23:59:59.999Z")).toMatchObject(withdrawn);
    expect(ask(trusted, model, "2026-06-19T00:00:00Z")).toBe(model);
    expect(ask(foreign, model, "2026-06-19T00:00:00Z")).toMatchObject(withdrawn);
    expect(ask(foreign, "claude-sonnet-4-5", "2026-06-19T00:00:00Z")).toBe("claude-sonnet-4-5");
    expect(ask(foreign, model, "2026-07-10T00:00:00Z")).toBe(model);
  });

  it("was never given to the trusted where another rule refuses them", () => {
    const owned = tenantIn("DE", { name: "Example Trusted Research GmbH", facts: { ultimateParentCountry: "CN" } });
    expect(ask(owned, "claude-opus-4-5", "2026-06-20T00:00:00Z")).toMatchObject({ kind: "policy_denied", rule: "ownership" });
  });
});

describe("the 50 % rule that was suspended", () => {
  const owned = (percent: number): Tenant =>
    tenantIn("MY", { ownership: ownedBy("EXAMPLE RESTRICTED HOLDINGS CO LTD", percent, "2025-09-01T00:00:00Z") });
  it("refuses from its date, not while it is suspended, and again from the day on which it comes back", () => {
    const refused = { kind: "policy_denied", rule: "ownership", reasons: ["us-affiliates-50-percent", "affiliates-rule"] };
    expect(ask(owned(50), "gpt-5", "2025-09-28T23:59:59.999Z")).toBe("gpt-5");
    expect(ask(owned(50), "gpt-5", "2025-09-29T00:00:00Z")).toMatchObject(refused);
    expect(ask(owned(49), "gpt-5", "2025-09-29T00:00:00Z")).toBe("gpt-5");
    expect(ask(tenantIn("MY"), "gpt-5", "2025-09-29T00:00:00Z")).toMatchObject({ kind: "fact_unknown" });
    expect(ask(tenantIn("SG"), "gpt-5", "2025-09-29T00:00:00Z")).toBe("gpt-5");
    expect(ask(tenantIn(undefined), "gpt-5", "2025-09-29T00:00:00Z")).toMatchObject({ kind: "fact_unknown" });
    expect(ask(owned(50), "gpt-4o", "2025-09-29T00:00:00Z")).toBe("gpt-4o");
    expect(ask(owned(50), "gpt-5", "2025-11-09T23:59:59.999Z")).toMatchObject(refused);
    expect(ask(owned(50), "gpt-5", "2025-11-10T00:00:00Z")).toBe("gpt-5");
    expect(ask(tenantIn("MY"), "gpt-5", "2026-11-09T23:59:59.999Z")).toBe("gpt-5");
  });

  it("is in force again once nobody confirmed its suspension, and refuses everybody whom it is for until its list is taken anew", () => {
    const stale = { kind: "fact_stale", fact: expect.stringContaining("us-restricted-parties") };
    for (const at of ["2026-11-10T00:00:00Z", "2036-01-01T00:00:00Z"]) {
      expect(ask(owned(0.01), "gpt-5", at)).toMatchObject(stale);
      expect(ask(tenantIn("SG"), "gpt-5", at)).toBe("gpt-5");
      expect(ask(tenantIn("CN"), "gpt-5", at)).toBe("gpt-5");
    }
  });

  it("is suspended for as long as an operator confirms, and decides by a list that was taken anew", () => {
    const suspended = "suspended = [{ from = 2025-11-10T00:00:00Z, to = 2026-11-10T00:00:00Z }";
    const confirmed = "{ from = 2026-11-10T00:00:00Z, to = 2026-12-10T00:00:00Z }";
    const prolonged = shippedWith(suspended, `${suspended}, ${confirmed}`);
    expect(ask(owned(50), "gpt-5", "2026-12-09T23:59:59.999Z", {}, prolonged)).toBe("gpt-5");
    expect(ask(owned(50), "gpt-5", "2026-12-10T00:00:00Z", {}, prolonged)).toMatchObject({ kind: "fact_stale" });
    const anew = shippedWith("as_of = 2025-09-29T00:00:00Z", "as_of = 2026-11-20T00:00:00Z");
    expect(ask(owned(49), "gpt-5", "2026-11-26T00:00:00Z", {}, anew)).toBe("gpt-5");
    expect(ask(owned(50), "gpt-5", "2026-11-26T00:00:00Z", {}, anew)).toMatchObject({
      reasons: ["us-affiliates-50-percent", "affiliates-rule"],
    });
  });

  it("is another one where only more than half counts", () => {
    const half = (percent: number): Tenant =>
      tenantIn("AE", { ownership: ownedBy("Example Sanctioned Trading AG", percent, "2027-01-01T00:00:00Z") });
    expect(ask(half(50), "gpt-4o", "2027-01-02T00:00:00Z")).toBe("gpt-4o");
    expect(ask(half(50.01), "gpt-4o", "2027-01-02T00:00:00Z")).toMatchObject({ reasons: ["eu-owners-above-50-percent"] });
  });
});

describe("the other worked examples", () => {
  const at = "2027-01-02T00:00:00Z";
  const evidence = { reference: "register", asOf: "2026-12-01T00:00:00Z" };
  const shown = (country: string, changes: Partial<Tenant["facts"]> = {}, asOf = evidence.asOf): Tenant =>
    tenantIn(country, {
      facts: changes,
      factsEvidence: {
        registeredCountry: { ...evidence, asOf },
        headquartersCountry: evidence,
        ultimateParentCountry: evidence,
        endUse: evidence,
        audience: evidence,
      },
      ownership: ownedBy("Nobody in particular", 40, evidence.asOf),
    });

  it("ask a maker's tenants for documents of the last year", () => {
    expect(ask(shown("DE"), "claude-opus-4-5", at)).toBe("claude-opus-4-5");
    expect(ask(shown("DE", {}, "2026-01-01T00:00:00Z"), "claude-opus-4-5", at)).toMatchObject({ kind: "fact_stale" });
    expect(ask(shown("DE", {}, "2026-01-01T00:00:00Z"), "gpt-5", at)).toBe("gpt-5");
  });

  it("have somebody look at surveillance", () => {
    expect(ask(shown("DE", { endUse: "camera surveillance" }), "gpt-4o", "2026-11-23T00:00:00Z")).toMatchObject({
      kind: "policy_review",
      rule: "end_use",
      reasons: ["surveillance-needs-review"],
    });
  });

  it("ask companies that serve the public for their end users' nationality", () => {
    const open = shown("DE", { audience: "public-facing" });
    expect(ask(open, "gpt-5", at)).toMatchObject({ kind: "fact_unknown", fact: expect.stringContaining("nationality") });
    expect(ask(open, "gpt-5", at, { endUserNationality: "FR" })).toBe("gpt-5");
    expect(ask(open, "gpt-5", at, { endUserNationality: "KP" })).toMatchObject({ reasons: ["end-users-of-frontier-models"] });
    expect(ask(shown("DE"), "gpt-5", at)).toBe("gpt-5");
  });

  it("answer with a smaller model, or without log probabilities", () => {
    expect(ask(shown("VE"), "gpt-5", at)).toBe("gpt-5-mini");
    expect(ask(shown("VE"), "gpt-4o", at)).toBe("gpt-4o");
    expect(ask(shown("DE"), "gpt-5", at, { logProbabilities: "asked" })).toBe("gpt-5 without log_probabilities");
    expect(ask(shown("DE"), "gpt-4o", at, { logProbabilities: "asked" })).toBe("gpt-4o");
  });

  it("let no hosted tool run, and no weights be extracted", () => {
    const today = "2026-11-23T00:00:00Z";
    expect(ask(shown("DE"), "gpt-4o", today, { hostedTools: ["mcp"] })).toMatchObject({ reasons: ["no-hosted-tools"] });
    expect(ask(shown("DE"), "gpt-4o", today, { logProbabilities: "asked_with_logit_bias" })).toMatchObject({
      reasons: ["no-weights-extraction"],
    });
  });

  it("say how long records of each class are kept", () => {
    const kept = [...policy.retention].map(([name, { months, records, tiers }]) => [
      name,
      months,
      [...records],
      tiers && [...tiers],
    ]);
    expect(kept).toEqual([
      ["operations", 6, ["key_use"], undefined],
      ["export-control", 60, ["receipts", "refusals", "usage"], undefined],
      ["sanctions", 120, ["audit"], undefined],
      ["frontier", 120, ["receipts"], ["frontier"]],
    ]);
  });
});
