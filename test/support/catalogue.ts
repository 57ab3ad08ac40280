import { countrySet } from "../../src/region/country.ts";
import {
  wireSurfaces,
  type Catalogue,
  type Deployment,
  type Model,
  type Price,
  type Region,
  type Wire,
} from "../../src/region/catalogue.ts";

export const price: Price = {
  inputMicroUsdPerMillion: 2_000_000,
  cachedInputMicroUsdPerMillion: 500_000,
  cacheWriteMicroUsdPerMillion: 2_500_000,
  outputMicroUsdPerMillion: 8_000_000,
};

export const model: Model = {
  id: "gpt-test",
  aliases: [],
  displayName: "Test",
  maker: "maker",
  tier: "standard",
  createdAt: 1_700_000_000,
  contextTokens: 128_000,
  maxOutputTokens: 16_000,
  weightsNotIn: new Set(["CN"]),
  price,
};

export const claude: Model = { ...model, id: "claude-test", maker: "other" };

export function region(id: string, country: string, wire: Wire = "azure"): Region {
  return {
    id,
    provider: wire,
    wire,
    endpoint: `https://${id}.upstream.test`,
    credential: { env: "UPSTREAM_KEY" },
    country,
    displayName: id,
    latitude: 0,
    longitude: 0,
    apiVersion: "2025-01-01",
  };
}

export function deployment(name: string, parts: Partial<Deployment> = {}): Deployment {
  const place = parts.region ?? region(name, "SG");
  return {
    id: `${place.id}/${name}`,
    region: place,
    model,
    upstreamName: `up-${name}`,
    sku: "Standard",
    countries: countrySet([place.country]),
    evidence: "contractual-geography",
    // As the answers of the tests call it.
    servedAs: ["gpt-served", "claude-served", "gpt-instruct", "m"],
    surfaces: new Set(wireSurfaces[place.wire]),
    weight: 1,
    tokensPerMinute: undefined,
    price,
    ...parts,
  };
}

export function catalogueOf(deployments: readonly Deployment[], digest = "digest-1"): Catalogue {
  const models = new Map(deployments.map((each) => [each.model.id, each.model]));
  return {
    digest,
    models,
    modelNames: new Map([...models.keys()].map((id) => [id, id])),
    regions: new Map(deployments.map((each) => [each.region.id, each.region])),
    deployments: new Map(deployments.map((each) => [each.id, each])),
    deploymentsByModel: new Map([...models.keys()].map((id) => [id, deployments.filter((each) => each.model.id === id)])),
  };
}
