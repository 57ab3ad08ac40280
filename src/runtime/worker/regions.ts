import { readPolicyKeys, type PolicyKeys } from "../../bundle/policy-keys.ts";
import type { PolicyShelf } from "../../bundle/policy-shelf.ts";
import { readShelf } from "../../bundle/read-shelf.ts";
import type { Catalogue } from "../../region/catalogue.ts";
import { formatProblems } from "../../region/problem.ts";
import { readCatalogue, type CatalogueFile } from "../../region/read-catalogue.ts";
import { sha256 } from "./clock.ts";
import { NotConfigured } from "./config.ts";
import { regionFiles } from "./regions.generated.js";

/**
 * Only bundles that one of the keys signed decide, those that this Worker was built with and those that were loaded; without
 * keys, its policy.toml. Throws where nothing can.
 */
export async function bundledPolicies(
  keys: PolicyKeys | undefined,
  loaded: readonly CatalogueFile[] = [],
  before?: PolicyShelf,
): Promise<PolicyShelf> {
  const read = await readShelf({ files: [...regionFiles, ...loaded], keys, sha256, before });
  if (!read.ok) throw new Error(`this Worker was built with regions that do not hold:\n${read.report}`);
  return read.shelf;
}

/** Throws `NotConfigured` where the key set is none. */
export async function policyKeys(keySet: string | undefined): Promise<PolicyKeys | undefined> {
  if (!keySet) return undefined;
  const read = await readPolicyKeys(keySet);
  if (!read.ok) throw new NotConfigured(`STRAIT_POLICY_KEYS: ${read.problem}`);
  return read.keys;
}

let catalogue: Catalogue | undefined;

/** The regions that this Worker was built with, for its simulator. Read when first asked for: a Worker's start is given little time. */
export function bundledCatalogue(): Catalogue {
  if (catalogue === undefined) {
    const reading = readCatalogue(regionFiles, sha256);
    if (!reading.ok) throw new Error(`this Worker was built with regions that do not hold:\n${formatProblems(reading.problems)}`);
    ({ catalogue } = reading);
  }
  return catalogue;
}
