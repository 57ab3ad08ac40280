import { describe, expect, it } from "vitest";
import { authorise } from "../../src/policy/authorise.ts";
import { decide } from "../../src/policy/decide.ts";
import { inputsOf } from "../../src/policy/decision-inputs.ts";
import { objectionKind } from "../../src/policy/finding.ts";
import type { Permit } from "../../src/policy/permit.ts";
import type { Model, Surface } from "../../src/region/catalogue.ts";
import { showCountries } from "../../src/region/country.ts";
import type { Refusal } from "../../src/refusal.ts";
import { catalogueOf, shippedFiles } from "../region/regions-fixture.ts";
import { tenantIn } from "./policy-fixture.ts";

const { catalogue, policy } = catalogueOf(shippedFiles());
const atMs = Date.UTC(2026, 10, 23);
const all = [...catalogue.models.values()];

function surfacesOf(model: Model): Surface[] {
  return [...new Set((catalogue.deploymentsByModel.get(model.id) ?? []).flatMap(({ surfaces }) => [...surfaces]))];
}

function decisions(country: string, models: readonly Model[]): (Permit | Refusal)[] {
  return models.flatMap((model) =>
    surfacesOf(model).map((surface) => {
      const decision = authorise({ tenant: tenantIn(country), modelName: model.id, surface }, policy, catalogue, atMs);
      return decision.ok ? decision.value : decision.refusal;
    }),
  );
}

const gpt = all.filter(({ maker }) => maker === "openai");
const claude = all.filter(({ maker }) => maker === "anthropic");

describe("the shipped policy", () => {
  it.each(["CN", "HK", "MO"])(
    "serves a tenant of %s every GPT model, never from CN, HK or MO and never from anywhere",
    (country) => {
      const permits = decisions(country, gpt);
      expect(permits.length).toBeGreaterThan(10);
      for (const permit of permits) {
        if (!("deployments" in permit)) throw new Error(JSON.stringify(permit));
        expect(permit.deployments.length).toBeGreaterThan(0);
        for (const { countries } of permit.deployments) expect(showCountries(countries)).not.toMatch(/CN|HK|MO|[*?]/);
      }
    },
  );

  it.each(["CN", "HK", "MO", "RU"])("refuses a tenant of %s Claude by its maker's ownership rule", (country) => {
    for (const refusal of decisions(country, claude)) expect(refusal).toMatchObject({ kind: "policy_denied", rule: "ownership" });
  });

  it("refuses Claude to a tenant of Singapore that a company in China owns", () => {
    const tenant = tenantIn("SG", { facts: { ultimateParentCountry: "CN" } });
    expect(authorise({ tenant, modelName: "claude-opus-4-5", surface: "messages" }, policy, catalogue, atMs)).toMatchObject({
      refusal: { rule: "ownership" },
    });
  });

  it("did not know that rule before it began", () => {
    const before = Date.UTC(2025, 8, 4);
    const decision = authorise(
      { tenant: tenantIn("CN"), modelName: "claude-opus-4-5", surface: "messages" },
      policy,
      catalogue,
      before,
    );
    expect(decision.ok).toBe(true);
  });

  it("serves a tenant of SG every model on every surface, never from Singapore", () => {
    const permits = decisions("SG", all);
    expect(new Set(permits.map((permit) => ("deployments" in permit ? permit.model.id : JSON.stringify(permit))))).toEqual(
      new Set(all.map(({ id }) => id)),
    );
    const shown = permits
      .flatMap((permit) => ("deployments" in permit ? permit.deployments : []))
      .map(({ countries }) => showCountries(countries));
    expect(shown.filter((countries) => /SG|[*?]/.test(countries))).toEqual([]);
  });

  it("shows that the regions in the tenants' own country are refused, by where the weights are and by jurisdiction", () => {
    const domestic = [...catalogue.deployments.values()].filter(({ region }) => region.domestic === true);
    expect(domestic.length).toBeGreaterThan(0);
    for (const deployment of domestic) {
      const [surface = "chat.completions"] = deployment.surfaces;
      for (const country of ["CN", "SG", "US"]) {
        const inputs = inputsOf({ tenant: tenantIn(country), modelName: deployment.model.id, surface }, atMs);
        const [evaluation] = decide(inputs, policy, catalogue).evaluations;
        const verdict = evaluation?.placement.candidates().find((candidate) => candidate.deployment === deployment);
        const kinds = new Set(verdict?.objections.map(objectionKind));
        expect(kinds).toEqual(new Set(country === "CN" ? ["weights_location", "own_jurisdiction"] : ["weights_location"]));
      }
    }
  });

  it("lets nobody use southeastasia's Standard deployments, whose geography holds Hong Kong", () => {
    for (const country of ["CN", "SG", "US", "JP"]) {
      const permit = authorise(
        { tenant: tenantIn(country), modelName: "gpt-4o", surface: "chat.completions" },
        policy,
        catalogue,
        atMs,
      );
      expect(permit.ok && permit.value.refused).toContainEqual({
        deployment: "southeastasia/gpt-4o",
        kind: "weights_location",
        rule: "hosting:gpt-4o",
        reason: "may process in HK",
      });
    }
  });

  it("refuses military end use and an end use that nobody declared", () => {
    for (const [endUse, kind] of [
      ["military", "policy_denied"],
      [undefined, "fact_unknown"],
    ] as const) {
      const decision = authorise(
        { tenant: tenantIn("SG", { facts: { endUse } }), modelName: "gpt-4o", surface: "chat.completions" },
        policy,
        catalogue,
        atMs,
      );
      expect(decision).toMatchObject({ ok: false, refusal: { kind } });
    }
  });
});
