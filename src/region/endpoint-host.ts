import type { Region } from "./catalogue.ts";

const hosts = new WeakMap<Region, string>();

/** The host that a region's requests go to, with its port where that is not the scheme's own. */
export function endpointHost(region: Region): string {
  let host = hosts.get(region);
  if (host === undefined) hosts.set(region, (host = new URL(region.endpoint).host));
  return host;
}
