import type { CatalogueFile } from "../region/read-catalogue.ts";
import type { AuditEntry } from "../tenant/directory.ts";
import type { BundleRead } from "./read-shelf.ts";

/** A bundle that an operator gave to a running gateway, as the store that all replicas share keeps it. */
export interface LoadedBundle {
  readonly digest: string;
  readonly version: string;
  /** Decides nothing: it is tried beside the one that decides. */
  readonly shadow: boolean;
  /** RFC 3339; `null`: from ever. */
  readonly effectiveFrom: string | null;
  /** `null`: for ever. */
  readonly effectiveTo: string | null;
  /** RFC 3339. */
  readonly loadedAt: string;
  /** Who decided it and why, as the audit says it. */
  readonly by: string | null;
  readonly reason: string | null;
  /** The signed bundle as a file would hold it. Whoever reads it verifies it again: the store is not trusted. */
  readonly text: string;
}

/** Where replicas find what was loaded. */
export interface BundleRecords {
  /** The `loadedName` of each, in order. They tell whether anything changed, for a bundle is never replaced under its name. */
  bundleNames(): Promise<readonly string[]>;
  /** In order of name, so that every replica takes them in the same order. */
  bundles(): Promise<readonly LoadedBundle[]>;
  /**
   * Keeps the bundle and writes its audit record together. False, and nothing written, where one of that name stands, or
   * another that decides has its version or begins at its instant, or another shadow is tried.
   */
  addBundle(bundle: LoadedBundle, audit: AuditEntry): Promise<boolean>;
  /** Forgets it and writes the audit record together. False, and nothing written, where none has that name. */
  removeBundle(name: string, audit: AuditEntry): Promise<boolean>;
}

/** What the operators' API needs of a gateway to load bundles into it. */
export interface BundleLoading {
  readonly records: BundleRecords;
  /** Whether there are keys that bundles must be signed by. Without, none can be loaded. */
  readonly takesBundles: boolean;
  /** Reads a bundle as one that stands in the regions folder under this path, beside all that was taken. */
  verify(file: CatalogueFile): Promise<BundleRead>;
  /** Resolves once this process has taken what the store has now. */
  refresh(): Promise<void>;
}

const folder = "loaded/bundles";

export function loadedName({ digest, shadow }: Pick<LoadedBundle, "digest" | "shadow">): string {
  return shadow ? `${digest}.shadow.json` : `${digest}.json`;
}

/**
 * Bundles that were loaded are read as files of a folder of their own. Whatever a store says the digest is, the file is a
 * bundle's: it can pass for none of the regions' files.
 */
export function loadedFile({ digest, shadow, text }: Pick<LoadedBundle, "digest" | "shadow" | "text">): CatalogueFile {
  return { path: `${folder}/${loadedName({ digest: digest.replaceAll(/[^0-9a-f]/g, ""), shadow })}`, text };
}

export function isLoaded(path: string): boolean {
  return path.startsWith(`${folder}/`);
}
