import { describe, expect, it } from "vitest";
import { anywhere, countrySet } from "../../src/region/country.ts";
import { profilesOf, type SimulatedCatalogue } from "../../src/simulator/profile.ts";

const surfaces = new Set(["messages"] as const);
const deployment = { model: { id: "a-model" }, upstreamName: "upstream-name", surfaces, tokensPerMinute: 500 };

const catalogue: SimulatedCatalogue = {
  regions: new Map([
    ["anthropic", { id: "anthropic", wire: "anthropic", displayName: "Anthropic", country: "US" }],
    ["swedencentral", { id: "swedencentral", wire: "azure", displayName: "Sweden Central", country: "SE" }],
    ["empty", { id: "empty", wire: "openai", displayName: "Empty", country: "IE" }],
  ]),
  deployments: new Map([
    ["anthropic/a", { ...deployment, region: { id: "anthropic" }, upstreamName: "pinned", countries: countrySet(["US"]) }],
    ["anthropic/b", { ...deployment, region: { id: "anthropic" }, upstreamName: "global", countries: anywhere }],
    ["swedencentral/a", { ...deployment, region: { id: "swedencentral" }, countries: countrySet(["SE"]) }],
  ]),
};

describe("profiles of a catalogue", () => {
  it("hold every region with its own deployments and no others", () => {
    const names = profilesOf(catalogue).map((profile) => [profile.id, profile.deployments.map(({ name }) => name)]);
    expect(names).toEqual([
      ["anthropic", ["pinned", "global"]],
      ["swedencentral", ["upstream-name"]],
      ["empty", []],
    ]);
  });

  it("answer with the model behind an Azure deployment, and elsewhere with the name asked for", () => {
    const models = profilesOf(catalogue).flatMap((profile) => profile.deployments.map(({ model }) => model));
    expect(models).toEqual(["pinned", "global", "a-model"]);
  });

  it("attest the US only where nothing else is possible", () => {
    const places = profilesOf(catalogue).flatMap((profile) => profile.deployments.map(({ inferenceGeo }) => inferenceGeo));
    expect(places).toEqual(["us", "global", "not_available"]);
  });
});
