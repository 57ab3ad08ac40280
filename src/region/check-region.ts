import { surfaces, wireSurfaces, type Surface, type Wire } from "./catalogue.ts";
import type { KnownModels } from "./check-models.ts";
import type { Country } from "./country.ts";
import { entries, type Document, type Entry } from "./document.ts";
import type { Loose } from "./fields.ts";
import { checkGroups, resolveCountries, type Groups } from "./groups.ts";
import { isLocal, looseDeployment, looseRegion, type DeploymentEntry, type RegionEntry } from "./region-file.ts";
import { evidenceOfReach, skus } from "./sku.ts";

/** What of a region the check across regions looks at. */
export type RegionRead = Loose<Omit<RegionEntry, "deployments">>;

/** Where `inference_geo` says an answer was made. */
const countryOfGeo: Readonly<Record<"us", Country>> = { us: "US" };

/** Reports what is wrong with a region beyond the shape of its file. */
export function checkRegion(document: Document, groups: Groups | undefined, known: KnownModels | undefined): RegionRead {
  const region = looseRegion.safeParse(document.content).data ?? {};
  checkHead(document, region);
  const names = new Set<string>();
  const upstreamNames = new Set<string>();
  for (const entry of entries(document, "deployments", looseDeployment)) {
    checkName(document, entry, names);
    checkUpstreamName(document, entry, upstreamNames);
    checkModel(document, entry, region.wire, known);
    checkSku(document, entry, region.wire);
    checkCountries(document, entry, region, groups);
  }
  return region;
}

function checkHead(document: Document, region: RegionRead): void {
  const { id, wire, country, geography } = region;
  if (id !== undefined && document.file.split("/").at(-1) !== `${id}.toml`)
    document.report(["id"], `The id says that this file is called ${id}.toml.`);
  if (region.api_version !== undefined && wire !== undefined && wire !== "azure")
    document.report(["api_version"], "Only the azure wire has an api_version.");
  if (geography !== undefined && country !== undefined && !geography.countries.includes(country)) {
    document.report(["geography", "countries"], `The geography leaves out ${country}, the region's own country.`);
  }
  checkConnection(document, region);
}

/** Without a declaration no address could be told from a wrong one, and every connection would be refused. */
function checkConnection(document: Document, region: RegionRead): void {
  const written = (key: string): boolean => Object.hasOwn(document.content, key);
  const local = isLocal(region);
  if (local && written("address_in_country"))
    document.report(["address_in_country"], "A local region's address is in no table: leave this out, or write local = false.");
  if (!local && region.endpoint !== undefined && !written("networks") && !written("address_in_country"))
    document.report(
      ["endpoint"],
      "Say where its address must lie: address_in_country = true, networks = [...], or local = true in a private network.",
    );
  if (written("key_pins") && region.endpoint?.startsWith("http:") === true)
    document.report(["key_pins"], "An endpoint without TLS shows no key.");
}

type LooseDeployment = Entry<Loose<DeploymentEntry>>;

function checkName(document: Document, { index, value }: LooseDeployment, names: Set<string>): void {
  const name = value.name ?? value.model;
  if (name === undefined) return;
  if (names.has(name)) {
    const message = `Another deployment of this region is already called ${JSON.stringify(name)}: give it a name of its own.`;
    document.report(["deployments", index, value.name === undefined ? "model" : "name"], message);
  }
  names.add(name);
}

/** One thing at the upstream, declared twice, would have the place and the SKU of whichever declaration is chosen. */
function checkUpstreamName(document: Document, { index, value }: LooseDeployment, names: Set<string>): void {
  const name = value.upstream_name ?? value.model;
  if (name === undefined) return;
  if (names.has(name)) {
    const message = `Another deployment of this region is already ${JSON.stringify(name)} at the upstream: give its own upstream_name.`;
    document.report(["deployments", index, value.upstream_name === undefined ? "model" : "upstream_name"], message);
  }
  names.add(name);
}

function checkModel(
  document: Document,
  { index, value }: LooseDeployment,
  wire: Wire | undefined,
  known: KnownModels | undefined,
): void {
  const ofModel = value.model === undefined ? undefined : known?.models.get(value.model)?.surfaces;
  if (value.model !== undefined && known?.models.has(value.model) === false) {
    document.report(["deployments", index, "model"], `models.toml has no model ${JSON.stringify(value.model)}.`);
  }
  const ofWire: readonly Surface[] | undefined = wire && wireSurfaces[wire];
  if (value.surfaces === undefined && ofModel !== undefined && ofWire?.some((surface) => ofModel.includes(surface)) === false) {
    document.report(
      ["deployments", index, "model"],
      `The ${wire} wire can carry nothing of ${value.model} (${ofModel.join(", ")}).`,
    );
  }
  value.surfaces?.forEach((surface, position) => {
    if (!surfaces.includes(surface)) return; // told already by the shape
    const path = ["deployments", index, "surfaces", position];
    if (ofWire?.includes(surface) === false) document.report(path, `The ${wire} wire cannot carry ${surface}.`);
    else if (ofModel?.includes(surface) === false) document.report(path, `${value.model} has no ${surface} in models.toml.`);
  });
}

function checkSku(document: Document, { index, value }: LooseDeployment, wire: Wire | undefined): void {
  if (value.sku === undefined) return;
  const sku = skus[value.sku];
  const report = (key: string, message: string): void => document.report(["deployments", index, key], message);
  if (wire !== undefined && !sku.wires.includes(wire)) report("sku", `The ${wire} wire has no SKU ${value.sku}.`);
  const evidence = evidenceOfReach[sku.reach];
  if (value.evidence !== undefined && value.evidence !== evidence)
    report("evidence", `The evidence of ${value.sku} is "${evidence}", not "${value.evidence}".`);
  if (sku.reach === "pinned" && value.inference_geo === undefined)
    report("sku", `${value.sku} needs inference_geo: without it no answer attests its place.`);
  if (sku.reach !== "pinned" && value.inference_geo !== undefined)
    report("inference_geo", `${value.sku} is not pinned by inference_geo.`);
}

function checkCountries(
  document: Document,
  { index, value }: LooseDeployment,
  region: RegionRead,
  groups: Groups | undefined,
): void {
  const { sku, countries, inference_geo: geo } = value;
  const path = ["deployments", index, "countries"];
  const report = (message: string): void => document.report(path, message);
  if (typeof countries === "object") checkGroups(countries, groups, document, path);
  if (sku === undefined) return;
  const { reach } = skus[sku];
  if (reach === "anywhere") {
    if (countries !== undefined && countries !== "anywhere")
      report(`${sku} may process in any region on earth: write countries = "anywhere".`);
  } else if (countries === "anywhere") {
    report(`${sku} keeps to a set of countries: list them all.`);
  } else if (countries === undefined) {
    const written = Object.hasOwn((document.content["deployments"] as readonly object[])[index] ?? {}, "countries");
    const implied = reach === "geography" && region.geography !== undefined;
    if (!written && !implied)
      report('List the countries in which it may process, or write countries = "unknown", which no policy admits.');
  } else if (countries !== "unknown" && groups !== undefined) {
    const set = resolveCountries(countries, groups);
    const left = reach === "geography" ? (region.geography?.countries ?? []).filter((country) => !set.has(country)) : [];
    if (left.length > 0)
      report(
        `${sku} may process in the whole geography ${JSON.stringify(region.geography?.name)}: ${left.join(", ")} is left out.`,
      );
    if (reach === "pinned" && geo !== undefined && (set.size !== 1 || !set.has(countryOfGeo[geo])))
      report(`inference_geo "${geo}" means ["${countryOfGeo[geo]}"].`);
  }
}

export interface RegionAt {
  readonly document: Document;
  readonly region: RegionRead;
}

/** What no region shows alone: geographies that disagree, and regions at home that do not say so. */
export function checkAcrossRegions(regions: readonly RegionAt[], home: ReadonlySet<Country> | undefined): void {
  const geographies = new Map<string, { readonly countries: string; readonly file: string }>();
  for (const { document, region } of regions) {
    if (home !== undefined) checkHome(document, region, home);
    if (region.geography === undefined) continue;
    const key = `${region.provider}\n${region.geography.name}`;
    const countries = [...region.geography.countries].sort().join(", ");
    const first = geographies.get(key);
    if (first === undefined) geographies.set(key, { countries, file: document.file });
    else if (first.countries !== countries) {
      document.report(
        ["geography", "countries"],
        `${first.file} says that the geography ${JSON.stringify(region.geography.name)} is ${first.countries}.`,
      );
    }
  }
}

function checkHome(document: Document, { country, domestic }: RegionRead, home: ReadonlySet<Country>): void {
  if (country === undefined) return;
  if (home.has(country) && domestic !== true)
    document.report(["country"], `${country} is a home country of the policy: mark the region with domestic = true.`);
  if (!home.has(country) && domestic === true)
    document.report(["domestic"], `${country} is not a home country of the policy, so the region is not domestic.`);
}
