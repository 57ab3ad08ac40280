import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startSimulator } from "../../../src/runtime/node/simulator-server.ts";
import { profilesOf } from "../../../src/simulator/profile.ts";
import type { SeenRequest } from "../../../src/simulator/simulated-region.ts";
import { catalogue, regionsDir } from "./catalogue.ts";
import type { GatewayUnderTest } from "./gateway-under-test.ts";

export interface Upstreams extends Pick<GatewayUnderTest, "faults" | "stats" | "seen"> {
  readonly url: string;
  close(): Promise<void>;
}

/** All regions of the shipped catalogue, simulated on loopback; with a credential they take that one alone. */
export async function startUpstreams(credential?: string): Promise<Upstreams> {
  const seen: SeenRequest[] = [];
  const profiles = profilesOf(catalogue).map((profile) => (credential === undefined ? profile : { ...profile, credential }));
  const running = await startSimulator({ profiles, observe: (request) => void seen.push(request) });
  const ids = [...catalogue.regions.keys()];
  return {
    url: running.url,
    seen,
    faults: (regionId, faults) => running.simulator.setFault(regionId, faults),
    stats: () => Object.fromEntries(ids.map((id) => [id, running.simulator.stats(id)])),
    close: () => running.close(),
  };
}

/** A copy of the shipped regions whose endpoints are the simulated upstreams: what an operator's own folder looks like. */
export function writeRegions(directory: string, upstreamsUrl: string): void {
  cpSync(regionsDir, directory, { recursive: true });
  for (const file of readdirSync(directory)) {
    const id = file.replace(/\.toml$/, "");
    if (!catalogue.regions.has(id)) continue;
    const path = join(directory, file);
    const text = readFileSync(path, "utf8")
      .replace(/^endpoint = .*$/m, `endpoint = "${upstreamsUrl}/${id}"`)
      .replace(/^(address_in_country = .*|networks = \[[^\]]*\])\n/m, "");
    writeFileSync(path, text);
  }
}

/** Puts policy bundles into a regions folder. */
export function writeBundles(directory: string, bundles: Readonly<Record<string, string>>): void {
  mkdirSync(join(directory, "bundles"), { recursive: true });
  for (const [name, text] of Object.entries(bundles)) writeFileSync(join(directory, "bundles", `${name}.json`), text);
}

/** The variables that the regions' files name as their credentials. */
export function credentialVariables(credential: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...catalogue.regions.values()].flatMap(({ credential: reference }) =>
      "env" in reference ? [[reference.env, credential]] : [],
    ),
  );
}
