import { sha256 } from "../../../src/runtime/node/clock.ts";
import { readRegions } from "../../../src/runtime/node/regions.ts";
import type { World } from "../../../src/policy/world.ts";
import type { Catalogue } from "../../../src/region/catalogue.ts";
import { join } from "node:path";
import { repository } from "./child.ts";

export const regionsDir: string = join(repository, "regions");

/** The catalogue that the gateway under test has as well. */
export const shipped: World = readShipped();
export const catalogue: Catalogue = shipped.catalogue;

function readShipped(): World {
  const reading = readRegions(regionsDir, sha256);
  if (!reading.ok) throw new Error("the shipped regions do not hold");
  return reading;
}

/** The regions that have a deployment of the model which can process in these countries and no others. */
export function regionsWithin(model: string, countries: readonly string[]): readonly string[] {
  const regions = (catalogue.deploymentsByModel.get(model) ?? []).flatMap(({ region, countries: reach }) =>
    reach.kind === "countries" && [...reach.countries].every((country) => countries.includes(country)) ? [region.id] : [],
  );
  if (regions.length === 0) throw new Error(`no region serves ${model} within ${countries.join(", ")}`);
  return [...new Set(regions)];
}
