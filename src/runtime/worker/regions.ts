import type { World } from "../../policy/world.ts";
import { formatProblems } from "../../region/problem.ts";
import { readCatalogue } from "../../region/read-catalogue.ts";
import { sha256 } from "./clock.ts";
import { regionFiles } from "./regions.generated.js";

let world: World | undefined;

/** The world that this Worker was built with. Read when first asked for: a Worker's start is given little time. */
export function bundledWorld(): World {
  if (world === undefined) {
    const reading = readCatalogue(regionFiles, sha256);
    if (!reading.ok) throw new Error(`this Worker was built with regions that do not hold:\n${formatProblems(reading.problems)}`);
    world = { catalogue: reading.catalogue, policy: reading.policy };
  }
  return world;
}
