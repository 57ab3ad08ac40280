import { canonicalJson } from "../canonical-json.ts";
import type { Sha256 } from "../clock.ts";

export const bundleFormat = "strait-policy-bundle/1";

/**
 * A policy as it is handed around: the files that it was written in, word for word, and when it holds. It never
 * changes: another text or another date is another bundle with another digest. It holds the texts and not what was read
 * from them, so that whoever signs it signs what was reviewed, comments included.
 */
export interface PolicyBundle {
  readonly format: typeof bundleFormat;
  /** The policy's own; it stands in every receipt. */
  readonly version: string;
  /** RFC 3339, in UTC; decides from here … Absent: from ever. */
  readonly effectiveFrom?: string | undefined;
  /** … until just before here. Absent: for ever. */
  readonly effectiveTo?: string | undefined;
  /** In order of their names. */
  readonly files: readonly BundleFile[];
}

export interface BundleFile {
  /** Without a folder: `policy.toml`. */
  readonly name: string;
  readonly text: string;
}

/** Milliseconds since the epoch; see `PolicyBundle`. */
export interface EffectiveDates {
  readonly effectiveFromMs?: number | undefined;
  readonly effectiveToMs?: number | undefined;
}

export function makeBundle(version: string, files: readonly BundleFile[], dates: EffectiveDates): PolicyBundle {
  return {
    format: bundleFormat,
    version,
    effectiveFrom: rfc3339(dates.effectiveFromMs),
    effectiveTo: rfc3339(dates.effectiveToMs),
    files: [...files].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** SHA-256 of the canonical form, lower-case hex. */
export function bundleDigest(bundle: PolicyBundle, sha256: Sha256): string {
  return hexDigest(canonicalJson(bundle), sha256);
}

export function hexDigest(text: string, sha256: Sha256): string {
  return Array.from(sha256(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function rfc3339(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
}
