import type { Sha256 } from "../clock.ts";
import type { World } from "../policy/world.ts";
import { formatProblems } from "../region/problem.ts";
import { isPolicyFile, readCatalogue, type CatalogueFile } from "../region/read-catalogue.ts";
import { isLoaded } from "./loaded-bundles.ts";
import type { PolicyKeys } from "./policy-keys.ts";
import { PolicyShelf, type RefusedPolicy, type ShelvedPolicy } from "./policy-shelf.ts";
import { datesOf, parseBundle, type SignedBundle } from "./signed-bundle.ts";
import { verifyBundle } from "./verify-bundle.ts";

export interface ShelfSource {
  /** A regions folder: its TOML files, and the bundles in `bundles/`; after them, `loadedFile`s. */
  readonly files: readonly CatalogueFile[];
  /** Where there are some, only bundles that one of them signed are taken; without, the folder's policy.toml is. */
  readonly keys: PolicyKeys | undefined;
  readonly sha256: Sha256;
  /** What was read before: a bundle that does not hold leaves the one that stood in its file. */
  readonly before: PolicyShelf | undefined;
}

export type ShelfRead =
  | { readonly ok: true; readonly shelf: PolicyShelf }
  /** Nothing can be decided by what was read. */
  | { readonly ok: false; readonly report: string };

/** Reads all policies of a regions folder, each with the catalogue as it reads under that policy's groups. */
export async function readShelf(source: ShelfSource): Promise<ShelfRead> {
  const shadow = readShadow(source);
  if (source.keys === undefined) {
    const read = readWritten(source);
    const refused = [...unsignedRefusals(source), ...shadow.refused];
    return read.ok ? { ok: true, shelf: new PolicyShelf(read.policy, [], refused, shadow.policy) } : read;
  }
  const taken: ShelvedPolicy[] = [];
  const refused: RefusedPolicy[] = [];
  for (const file of source.files.filter(({ path }) => isBundle(path))) {
    const read = await readBundle(file, source, source.keys, taken);
    if (read.ok) taken.push(read.policy);
    // What was loaded for all replicas may stand in a file of this one as well.
    else if (!(isLoaded(file.path) && read.clash?.in === "digest")) {
      const kept = keptPolicy(file, source, taken);
      if (kept !== undefined) taken.push(kept);
      refused.push({ file: file.path, reason: read.reason, keptVersion: kept?.world.policy.version });
    }
  }
  const [first, ...others] = taken;
  if (first === undefined) return { ok: false, report: noneReport(refused) };
  return { ok: true, shelf: new PolicyShelf(first, others, [...refused, ...shadow.refused], shadow.policy) };
}

export type BundleRead =
  | { readonly ok: true; readonly policy: ShelvedPolicy }
  | {
      readonly ok: false;
      readonly reason: string;
      /** Where all else holds: what was taken before it, and in what it is the same. */
      readonly clash?: Clash;
    };

export interface Clash {
  readonly in: "digest" | "version" | "start";
  readonly other: ShelvedPolicy;
}

/** A bundle beside those that were taken: whether a key signed it, and it holds and reads with the folder's catalogue. */
async function readBundle(
  file: CatalogueFile,
  source: Pick<ShelfSource, "files" | "sha256">,
  keys: PolicyKeys,
  taken: readonly ShelvedPolicy[],
): Promise<BundleRead> {
  const parsed = parseBundle(file.text);
  if (!parsed.ok) return parsed;
  const verified = await verifyBundle(parsed.signed, keys, source.sha256);
  if (!verified.ok) return verified;
  const read = worldOf(file.path, parsed.signed, source);
  if (!read.ok) return read;
  const clash = clashWith(read.world, taken);
  if (clash !== undefined) return { ok: false, reason: clashReason(clash), clash };
  return { ok: true, policy: { file: file.path, world: read.world, signed: parsed.signed, keyId: verified.keyId } };
}

/**
 * The bundle that was last read from this file: it was verified then, and cannot have changed. With the catalogue as it is
 * now, or as it was where the two do not go together: a region that only the next bundle can read ends no bundle before its time.
 */
function keptPolicy(file: CatalogueFile, source: ShelfSource, taken: readonly ShelvedPolicy[]): ShelvedPolicy | undefined {
  const before = source.before?.policies.find((policy) => policy.file === file.path);
  if (before?.signed === undefined) return undefined;
  const read = worldOf(file.path, before.signed, source);
  const world = read.ok ? read.world : before.world;
  return clashWith(world, taken) === undefined ? { ...before, world } : undefined;
}

type WorldRead = { readonly ok: true; readonly world: World } | { readonly ok: false; readonly reason: string };

function worldOf(path: string, { bundle }: SignedBundle, { files, sha256 }: Pick<ShelfSource, "files" | "sha256">): WorldRead {
  const dates = datesOf(bundle);
  const { effectiveFromMs = -Infinity, effectiveToMs = Infinity } = dates;
  if (!(effectiveFromMs < effectiveToMs)) return { ok: false, reason: "it ends before it begins" };
  const catalogue = files.filter((file) => !isPolicyFile(file));
  const policy = bundle.files.map(({ name, text }) => ({ path: `${path}/${name}`, text }));
  const read = readCatalogue([...catalogue, ...policy], sha256, dates);
  if (!read.ok) return { ok: false, reason: `it does not fit the regions folder:\n${formatProblems(read.problems)}` };
  if (read.policy.version !== bundle.version)
    return { ok: false, reason: `it says that its version is ${bundle.version}, and its policy.toml ${read.policy.version}` };
  return { ok: true, world: { catalogue: read.catalogue, policy: read.policy } };
}

/** Two policies of one version, or that begin at one instant, would leave it to chance which of them a receipt means. */
function clashWith({ policy }: World, taken: readonly ShelvedPolicy[]): Clash | undefined {
  for (const other of taken) {
    const known = other.world.policy;
    if (known.digest === policy.digest) return { in: "digest", other };
    if (known.version === policy.version) return { in: "version", other };
    if (known.effectiveFromMs === policy.effectiveFromMs) return { in: "start", other };
  }
  return undefined;
}

function clashReason({ in: same, other: { file } }: Clash): string {
  switch (same) {
    case "digest":
      return `${file} is the same bundle`;
    case "version":
      return `${file} has the same version with another content`;
    case "start":
      return `${file} begins at the same instant`;
  }
}

function readWritten({ files, sha256 }: ShelfSource): { ok: true; policy: ShelvedPolicy } | { ok: false; report: string } {
  const read = readCatalogue(files, sha256);
  if (!read.ok) return { ok: false, report: formatProblems(read.problems) };
  const file = files.find(isPolicyFile)?.path ?? "policy.toml";
  const world = { catalogue: read.catalogue, policy: read.policy };
  return { ok: true, policy: { file, world, signed: undefined, keyId: undefined } };
}

/** Bundles that nobody can verify are not taken, and whoever put them there is told. */
function unsignedRefusals({ files }: ShelfSource): RefusedPolicy[] {
  const reason = "STRAIT_POLICY_KEYS is not set, so no bundle is taken and the folder's policy.toml holds";
  return files.filter(({ path }) => isBundle(path)).map(({ path }) => notTaken(path, reason));
}

/** It decides nothing, so that it needs neither a signature nor to be in force. Of several the first is tried. */
function readShadow(source: ShelfSource): { policy: ShelvedPolicy | undefined; refused: readonly RefusedPolicy[] } {
  const [first, ...others] = source.files.filter(({ path }) => isShadow(path));
  if (first === undefined) return { policy: undefined, refused: [] };
  const refused = others.map(({ path }) => notTaken(path, `one shadow is tried at a time, and ${first.path} is there`));
  const read = readShadowBundle(first, source);
  if (!read.ok) return { policy: undefined, refused: [notTaken(first.path, read.reason), ...refused] };
  return { policy: read.policy, refused };
}

/** A bundle that is to be taken beside those that were: by its path one that decides, or one that is tried. */
export async function readCandidate(
  file: CatalogueFile,
  source: Pick<ShelfSource, "files" | "keys" | "sha256">,
  taken: readonly ShelvedPolicy[],
): Promise<BundleRead> {
  if (isShadow(file.path)) return readShadowBundle(file, source);
  if (source.keys === undefined) return { ok: false, reason: "STRAIT_POLICY_KEYS is not set" };
  return readBundle(file, source, source.keys, taken);
}

/** A bundle that is to be tried: whether it reads with the folder's catalogue. */
function readShadowBundle(file: CatalogueFile, source: Pick<ShelfSource, "files" | "sha256">): BundleRead {
  const parsed = parseBundle(file.text);
  if (!parsed.ok) return parsed;
  const read = worldOf(file.path, parsed.signed, source);
  if (!read.ok) return read;
  return { ok: true, policy: { file: file.path, world: read.world, signed: parsed.signed, keyId: undefined } };
}

function notTaken(file: string, reason: string): RefusedPolicy {
  return { file, reason, keptVersion: undefined };
}

export function isBundle(path: string): boolean {
  return /(^|\/)bundles\/[^/]+\.json$/.test(path) && !isShadow(path);
}

/** A bundle is tried as a shadow under a name of this form, and taken by renaming it. */
export function isShadow(path: string): boolean {
  return /(^|\/)bundles\/[^/]+\.shadow\.json$/.test(path);
}

function noneReport(refused: readonly RefusedPolicy[]): string {
  if (refused.length === 0)
    return "STRAIT_POLICY_KEYS is set, and bundles/ of the regions folder holds no bundle: build and sign one (strait policy build, strait policy sign).";
  const reasons = [...new Set(refused.map(({ file, reason }) => `${file} is not taken: ${reason}`))];
  return `No policy bundle holds, so nothing can be admitted.\n${reasons.join("\n")}`;
}
