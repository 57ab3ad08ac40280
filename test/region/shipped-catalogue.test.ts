import type { Deployment } from "../../src/region/catalogue.ts";
import { priceAt } from "../../src/region/price-at.ts";
import { describe, expect, it } from "vitest";
import { assignedCountries } from "../../src/region/assigned-countries.ts";
import { showCountries } from "../../src/region/country.ts";
import { catalogueOf, shippedFiles } from "./regions-fixture.ts";

const { catalogue, policy } = catalogueOf(shippedFiles());
const regions = [...catalogue.regions.values()];
const deployments = [...catalogue.deployments.values()];

describe("the shipped catalogue", () => {
  it("has at least 14 Azure regions offshore, in at least 9 countries", () => {
    const azure = regions.filter((region) => region.provider === "azure");
    expect(azure.length).toBeGreaterThanOrEqual(14);
    expect(new Set(azure.map((region) => region.country)).size).toBeGreaterThanOrEqual(9);
    expect(azure.filter((region) => region.domestic === true)).toEqual([]);
  });

  it("declares a Standard deployment for the geography, not for the region", () => {
    const standardOf = (region: string): string[] =>
      deployments
        .filter((deployment) => deployment.region.id === region && deployment.sku === "Standard")
        .map(({ countries }) => showCountries(countries));
    expect(new Set(standardOf("southeastasia"))).toEqual(new Set(["HK,SG"]));
    expect(new Set(standardOf("westeurope"))).toEqual(new Set(["IE,NL"]));
    expect(new Set(standardOf("japaneast"))).toEqual(new Set(["JP"]));
  });

  it("has deployments of every reach: geography, zone, anywhere and attested", () => {
    expect(new Set(deployments.map(({ evidence }) => evidence))).toEqual(
      new Set(["attested", "contractual-geography", "contractual-zone", "none"]),
    );
    for (const { sku, countries } of deployments)
      expect([sku, countries.kind === "anywhere"]).toEqual([sku, sku.startsWith("Global")]);
  });

  it("has OpenAI's European host and Anthropic's, pinned and not", () => {
    expect(catalogue.regions.get("openai-eu")?.endpoint).toBe("https://eu.api.openai.com");
    expect(catalogue.deployments.get("anthropic-us/claude-opus-4-5")).toMatchObject({ evidence: "attested", inferenceGeo: "us" });
    expect(catalogue.deployments.get("anthropic-global/claude-opus-4-5")).toMatchObject({ evidence: "none" });
  });

  it("marks exactly the regions in the tenants' own country as domestic", () => {
    const domestic = regions.filter((region) => region.domestic === true);
    expect(domestic.length).toBeGreaterThanOrEqual(1);
    expect(regions.filter((region) => policy.home.has(region.country))).toEqual(domestic);
  });

  it("prices every model in integers, and serves each somewhere", () => {
    const rates = (of: object): unknown[] =>
      Object.values(of).flatMap((value: unknown) => (typeof value === "object" && value !== null ? rates(value) : [value]));
    for (const model of catalogue.models.values()) {
      expect(rates(model.price).every(Number.isInteger)).toBe(true);
      expect(catalogue.deploymentsByModel.get(model.id)).not.toEqual([]);
      expect(model.weightsNotIn.has("CN")).toBe(true);
    }
    for (const { price, laterPrices } of deployments) {
      expect(rates(price).length).toBeGreaterThanOrEqual(4);
      expect(rates([price, laterPrices ?? []]).every(Number.isInteger)).toBe(true);
    }
  });

  it("shows a price that changed, one by service tier, and one for long prompts", () => {
    const of = (model: string): readonly Deployment[] => catalogue.deploymentsByModel.get(model) ?? [];
    const at = (deployment: Deployment | undefined, time: string): number =>
      priceAt(deployment as Deployment, Date.parse(time)).price.cachedInputMicroUsdPerMillion;
    const plain = of("gpt-4o").find((deployment) => deployment.price.inputMicroUsdPerMillion === 2_500_000);
    expect([at(plain, "2024-09-30T23:59:59Z"), at(plain, "2024-10-01T00:00:00Z")]).toEqual([2_500_000, 1_250_000]);
    for (const { price } of of("gpt-5"))
      expect(price.serviceTiers?.priority?.outputMicroUsdPerMillion).toBe(2 * price.outputMicroUsdPerMillion);
    for (const { price } of of("claude-sonnet-4-5"))
      expect(price.longContext?.rates.outputMicroUsdPerMillion).toBe(1.5 * price.outputMicroUsdPerMillion);
  });

  it("takes every credential by reference, one for each region", () => {
    const variables = regions.map(({ credential }) => ("env" in credential ? credential.env : credential.file));
    expect(new Set(variables).size).toBe(regions.length);
    for (const variable of variables) expect(variable).toMatch(/^STRAIT_[A-Z0-9_]+_KEY$/);
  });
});

describe("the assigned countries", () => {
  it("are the 249 of ISO 3166-1, without the codes that are only reserved", () => {
    expect(assignedCountries.size).toBe(249);
    for (const reserved of ["EU", "UK", "XK", "SU", "ZZ"]) expect(assignedCountries.has(reserved)).toBe(false);
    expect(assignedCountries.has("NO")).toBe(true);
  });
});
