import { headerValue, type HeaderList } from "../edge.ts";
import type { Deployment } from "../region/catalogue.ts";

/**
 * In which way what an upstream says of where it ran contradicts what the catalogue declares; `undefined` where nothing
 * does. Silence is no contradiction.
 */
export function placeConflict(deployment: Deployment, headers: HeaderList, inferenceGeo: string | undefined): string | undefined {
  const region = headerValue(headers, "x-ms-region");
  if (region !== undefined && !isSamePlace(region, deployment.region.displayName)) {
    return `x-ms-region says ${JSON.stringify(region)}, declared is ${JSON.stringify(deployment.region.displayName)}`;
  }
  const spilledFrom = headerValue(headers, "x-ms-spillover-from-deployment");
  if (spilledFrom !== undefined)
    return `the answer spilled over from ${JSON.stringify(spilledFrom)} to a deployment that is not declared`;
  const { inferenceGeo: declared } = deployment;
  if (declared !== undefined && inferenceGeo !== undefined && inferenceGeo !== declared) {
    return `inference_geo says ${JSON.stringify(inferenceGeo)}, declared is ${JSON.stringify(declared)}`;
  }
  return undefined;
}

/** Azure writes one region as `East US 2` and as `eastus2`. */
function isSamePlace(one: string, other: string): boolean {
  return plain(one) === plain(other);
}

function plain(name: string): string {
  return name.replaceAll(/[^a-z0-9]/gi, "").toLowerCase();
}
