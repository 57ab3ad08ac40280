import { loadedFile, loadedName, type BundleLoading, type LoadedBundle } from "../bundle/loaded-bundles.ts";
import { isInForce, type PolicyShelf } from "../bundle/policy-shelf.ts";
import type { Clash } from "../bundle/read-shelf.ts";
import type { SignedBundle } from "../bundle/signed-bundle.ts";
import { auditEntry, auditNote, nowRfc3339, type AuditNote, type ChangePorts } from "./change.ts";
import { done, no, type ControlRefusal, type Outcome } from "./outcome.ts";

export interface BundlePorts extends ChangePorts {
  readonly loading: BundleLoading;
  readonly policies: () => PolicyShelf;
}

/** Every replica that can ask the store knows by then what was loaded or withdrawn. */
const knownEverywhereMs = 2_000;

/** Whether a bundle decides from its beginning on, or is tried as a shadow. */
export interface BundleUse {
  readonly shadow: boolean;
}

export interface BundleLoaded {
  /** As it was verified by this gateway. */
  readonly signed: SignedBundle;
  /** False where the same bundle stood already: nothing was written. */
  readonly isNew: boolean;
}

/**
 * Verifies a bundle as one in the regions folder, and keeps it for all replicas. On this process it is taken when this
 * resolves. The same bundle again changes nothing.
 *
 * @throws {StoreUnavailable} where the store cannot be asked.
 */
export async function loadBundle(
  ports: BundlePorts,
  actor: string,
  signed: SignedBundle,
  { shadow, ...told }: BundleUse & AuditNote,
): Promise<Outcome<BundleLoaded>> {
  const { loading } = ports;
  if (!loading.takesBundles) return no({ kind: "policy_unsigned" });
  await loading.refresh();
  const bundle: LoadedBundle = {
    digest: signed.digest,
    version: signed.bundle.version,
    shadow,
    effectiveFrom: signed.bundle.effectiveFrom ?? null,
    effectiveTo: signed.bundle.effectiveTo ?? null,
    loadedAt: nowRfc3339(ports.clock),
    ...auditNote(told),
    text: JSON.stringify(signed),
  };
  const file = loadedFile(bundle);
  const read = await loading.verify(file);
  if (!read.ok && read.clash === undefined) return no(notVerified(read.reason));
  const standing = read.ok ? (shadow ? ports.policies().shadow : undefined) : read.clash?.other;
  if (standing?.file === file.path) return done({ signed, isNew: false });
  if (read.ok && standing !== undefined)
    return no({ kind: "bundle_conflict", why: `${standing.file} is tried, and one shadow is at a time` });
  // The same bundle in a file is in the folder of this machine, and who knows of which others.
  if (!read.ok && read.clash !== undefined && read.clash.in !== "digest") return no(conflict(read.clash));
  const { version, digest, effectiveFrom, effectiveTo } = bundle;
  const detail = { version, digest, shadow, effectiveFrom, effectiveTo, ...auditNote(told) };
  const audit = auditEntry(ports, bundle.loadedAt, actor, "policy.load", "*", detail);
  const isAdded = await loading.records.addBundle(bundle, audit);
  await loading.refresh();
  if (isAdded) return done({ signed, isNew: true });
  const names = await loading.records.bundleNames();
  if (names.includes(loadedName(bundle))) return done({ signed, isNew: false });
  const why = "Another bundle was loaded that has the same version, begins at the same instant or is tried as the one shadow";
  return no({ kind: "bundle_conflict", why });
}

/**
 * Forgets a bundle that was loaded, on all replicas, where it does not decide and will not before all of them know: it has
 * not begun, has ended, or is a shadow.
 *
 * @throws {StoreUnavailable} where the store cannot be asked.
 */
export async function withdrawBundle(
  ports: BundlePorts,
  actor: string,
  digest: string,
  { shadow, ...told }: BundleUse & AuditNote,
): Promise<Outcome<LoadedBundle>> {
  const { loading, clock } = ports;
  await loading.refresh();
  const bundle = (await loading.records.bundles()).find((one) => one.digest === digest && one.shadow === shadow);
  if (bundle === undefined) return no({ kind: "bundle_not_found", digest });
  const taken = ports.policies().policies.find((policy) => policy.world.policy.digest === digest);
  const instants = [clock.nowMs(), clock.nowMs() + knownEverywhereMs];
  if (!shadow && taken !== undefined && instants.some((atMs) => isInForce(taken, atMs)))
    return no({ kind: "bundle_in_force", digest });
  const detail = { version: bundle.version, digest, shadow, ...auditNote(told) };
  const audit = auditEntry(ports, nowRfc3339(clock), actor, "policy.withdraw", "*", detail);
  const isRemoved = await loading.records.removeBundle(loadedName(bundle), audit);
  await loading.refresh();
  return isRemoved ? done(bundle) : no({ kind: "bundle_not_found", digest });
}

function notVerified(reason: string): ControlRefusal {
  return { kind: "invalid", problems: [{ pointer: "", detail: `The bundle does not hold: ${reason}.` }] };
}

function conflict({ in: same, other }: Clash): ControlRefusal {
  const { version } = other.world.policy;
  const why =
    same === "version"
      ? `${other.file} has version ${version} already, with another content`
      : `${other.file}, version ${version}, begins at the same instant`;
  return { kind: "bundle_conflict", why };
}
