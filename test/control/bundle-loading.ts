import type { PolicyKeys } from "../../src/bundle/policy-keys.ts";
import { loadedFile, loadedName, type BundleLoading, type LoadedBundle } from "../../src/bundle/loaded-bundles.ts";
import type { PolicyShelf } from "../../src/bundle/policy-shelf.ts";
import { readCandidate, readShelf } from "../../src/bundle/read-shelf.ts";
import type { CatalogueFile } from "../../src/region/read-catalogue.ts";
import type { AuditEntry } from "../../src/tenant/directory.ts";
import { files as regionFiles, sha256 } from "../region/regions-fixture.ts";

export interface TestLoading {
  readonly loading: BundleLoading;
  readonly audits: AuditEntry[];
  readonly kept: Map<string, LoadedBundle>;
  /** The shelf as it was last refreshed. */
  readonly shelf: () => PolicyShelf;
}

/** A gateway with these bundles in its folder, and a store in memory. Without keys it takes none. */
export function bundleLoading(keys?: PolicyKeys, bundles: readonly CatalogueFile[] = []): TestLoading {
  const kept = new Map<string, LoadedBundle>();
  const audits: AuditEntry[] = [];
  const files = [...regionFiles(), ...bundles];
  let shelf: PolicyShelf | undefined;
  const current = (): PolicyShelf => {
    if (shelf === undefined) throw new Error("the shelf was not read yet");
    return shelf;
  };
  const sorted = (): LoadedBundle[] =>
    [...kept.values()].toSorted((one, other) => (loadedName(one) < loadedName(other) ? -1 : 1));
  const loading: BundleLoading = {
    takesBundles: keys !== undefined,
    records: {
      bundleNames: async () => sorted().map(loadedName),
      bundles: async () => sorted(),
      async addBundle(bundle, audit) {
        if (kept.has(loadedName(bundle))) return false;
        kept.set(loadedName(bundle), bundle);
        audits.unshift(audit);
        return true;
      },
      async removeBundle(name, audit) {
        if (kept.delete(name)) audits.unshift(audit);
        return true;
      },
    },
    verify: (file) => readCandidate(file, { files, keys, sha256 }, current().policies),
    async refresh() {
      const read = await readShelf({ files: [...files, ...sorted().map(loadedFile)], keys, sha256, before: shelf });
      if (!read.ok) throw new Error(read.report);
      ({ shelf } = read);
    },
  };
  return { loading, audits, kept, shelf: current };
}
