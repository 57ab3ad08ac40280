import { wireSurfaces, type Catalogue, type Deployment, type Model, type Region } from "./catalogue.ts";
import { anywhere, countrySet, unknownCountries, type CountrySet } from "./country.ts";
import { frozenMap, frozenSet } from "./frozen.ts";
import { resolveCountries, type Groups } from "./groups.ts";
import { pricesOf, type ModelEntry, type ModelsEntry } from "./models-file.ts";
import { buildPrices } from "./price-entry.ts";
import type { ConnectionRules } from "./connection-rules.ts";
import { parseNetwork } from "./network.ts";
import { isLocal, type DeploymentEntry, type RegionEntry } from "./region-file.ts";
import { evidenceOfReach, skus } from "./sku.ts";

/** The catalogue of files that were checked, frozen all the way down. */
export function buildCatalogue(models: ModelsEntry, regions: readonly RegionEntry[], groups: Groups, digest: string): Catalogue {
  const modelEntries = new Map(models.models.map((entry) => [entry.id, entry]));
  const modelsById = new Map(models.models.map((entry) => [entry.id, buildModel(entry, groups)]));
  const regionsById = new Map<string, Region>();
  const deployments = new Map<string, Deployment>();
  const byModel = new Map<string, Deployment[]>(models.models.map((entry) => [entry.id, []]));
  for (const entry of regions) {
    const region = buildRegion(entry);
    regionsById.set(region.id, region);
    for (const written of entry.deployments) {
      const model = modelsById.get(written.model);
      const modelEntry = modelEntries.get(written.model);
      if (model === undefined || modelEntry === undefined)
        throw new Error(`${region.id} names the unknown model ${written.model}`);
      const deployment = buildDeployment(written, entry, region, model, modelEntry, groups);
      deployments.set(deployment.id, deployment);
      byModel.get(model.id)?.push(deployment);
    }
  }
  const names = models.models.flatMap((entry) => [entry.id, ...(entry.aliases ?? [])].map((name) => [name, entry.id] as const));
  return Object.freeze({
    digest,
    models: frozenMap(modelsById),
    modelNames: frozenMap(names),
    regions: frozenMap(regionsById),
    deployments: frozenMap(deployments),
    deploymentsByModel: frozenMap([...byModel].map(([id, list]) => [id, Object.freeze(list)] as const)),
  });
}

function buildModel(entry: ModelEntry, groups: Groups): Model {
  return Object.freeze({
    id: entry.id,
    aliases: Object.freeze([...(entry.aliases ?? [])]),
    displayName: entry.display_name,
    maker: entry.maker,
    tier: entry.tier,
    createdAt: Math.floor(entry.created_at.getTime() / 1000),
    contextTokens: entry.context_tokens,
    maxOutputTokens: entry.max_output_tokens,
    weightsNotIn: resolveCountries(entry.weights_not_in, groups),
    price: buildPrices(pricesOf(entry), 0).price,
  });
}

function buildRegion(entry: RegionEntry): Region {
  return Object.freeze({
    id: entry.id,
    provider: entry.provider,
    wire: entry.wire,
    endpoint: entry.endpoint,
    credential: Object.freeze(entry.credential),
    country: entry.country,
    displayName: entry.display_name,
    latitude: entry.coordinates.latitude,
    longitude: entry.coordinates.longitude,
    apiVersion: entry.api_version,
    domestic: entry.domestic ?? false,
    connection: buildConnectionRules(entry),
    ...(entry.reported_as === undefined ? {} : { reportedAs: Object.freeze([...entry.reported_as]) }),
  });
}

function buildConnectionRules(entry: RegionEntry): ConnectionRules {
  return Object.freeze({
    local: isLocal(entry),
    networks: Object.freeze((entry.networks ?? []).flatMap((network) => parseNetwork(network) ?? [])),
    addressCountry: entry.address_in_country === true ? entry.country : undefined,
    keyPins: Object.freeze([...(entry.key_pins ?? [])]),
  });
}

function buildDeployment(
  entry: DeploymentEntry,
  regionEntry: RegionEntry,
  region: Region,
  model: Model,
  modelEntry: ModelEntry,
  groups: Groups,
): Deployment {
  const both = modelEntry.surfaces.filter((surface) => wireSurfaces[region.wire].includes(surface));
  return Object.freeze({
    id: `${region.id}/${entry.name ?? model.id}`,
    region,
    model,
    upstreamName: entry.upstream_name ?? model.id,
    sku: entry.sku,
    countries: buildCountries(entry, regionEntry, groups),
    evidence: evidenceOfReach[skus[entry.sku].reach],
    ...(entry.inference_geo === undefined ? {} : { inferenceGeo: entry.inference_geo }),
    ...(entry.served_as === undefined ? {} : { servedAs: Object.freeze([...entry.served_as]) }),
    surfaces: frozenSet(entry.surfaces ?? both),
    weight: entry.weight ?? 1,
    tokensPerMinute: entry.tokens_per_minute,
    ...buildPrices(entry.prices ?? pricesOf(modelEntry), entry.price_premium_percent ?? 0),
  });
}

function buildCountries(entry: DeploymentEntry, region: RegionEntry, groups: Groups): CountrySet {
  const { reach } = skus[entry.sku];
  if (reach === "anywhere" || entry.countries === "anywhere") return anywhere;
  if (entry.countries === "unknown") return unknownCountries;
  if (entry.countries !== undefined) return countrySet(resolveCountries(entry.countries, groups));
  return reach === "geography" ? countrySet(region.geography?.countries ?? []) : unknownCountries;
}
