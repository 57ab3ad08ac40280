import type { BundleLoading } from "../bundle/loaded-bundles.ts";
import { isInForce, type PolicyShelf } from "../bundle/policy-shelf.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { RecordKind } from "../region/policy.ts";
import { applyRetention, type RetentionPorts as RecordPorts } from "../retention/apply-retention.ts";
import type { RetentionCount, RetentionRun } from "../retention/retention-run.ts";
import { retentionTerms, type RetentionTerms } from "../retention/retention-terms.ts";
import type { AuditEntry, DirectoryAdmin } from "../tenant/directory.ts";
import { auditEntry, nowRfc3339, type ChangePorts } from "./change.ts";
import { done, no, type Outcome } from "./outcome.ts";

export interface RetentionOrder {
  /** What is due. */
  readonly terms: RetentionTerms;
  /** Only counts it. */
  readonly dryRun: boolean;
  /** Stands in the audit: `operator`, `gateway`. */
  readonly actor: string;
}

/**
 * Deletes what is due, wherever records lie, or only counts it. What it came to is in the audit then, also where it failed
 * before its end, and what failed is in the log.
 *
 * @throws {StoreUnavailable} where the audit entry cannot be written; what was deleted until then is gone.
 */
export type ApplyRetention = (order: RetentionOrder) => Promise<RetentionRun>;

export interface RetentionPorts extends ChangePorts {
  /** By which records are old: not ahead of the stores' clocks, for what is deleted too early is gone. */
  readonly ageClock: Pick<Clock, "nowMs">;
  readonly policies: () => PolicyShelf;
  /** Brings `policies` up to date: records go by what holds everywhere. */
  readonly loading?: Pick<BundleLoading, "refresh"> | undefined;
  readonly applyRetention: ApplyRetention;
}

export interface RetentionAsked {
  readonly dryRun: boolean;
  /** Milliseconds since the epoch: nothing younger, whatever the classes allow. */
  readonly beforeMs?: number | undefined;
}

export interface RetentionReport extends RetentionRun {
  readonly terms: RetentionTerms;
}

/** By the policy that is in force now. Without one nobody knows how long records must be kept. */
export function termsInForce(ports: Pick<RetentionPorts, "policies" | "ageClock">, beforeMs?: number): Outcome<RetentionTerms> {
  const nowMs = ports.ageClock.nowMs();
  const shelved = ports.policies().policyAt(nowMs);
  if (!isInForce(shelved, nowMs)) return no({ kind: "policy_not_in_force" });
  return done(retentionTerms(shelved.world.policy, shelved.world.catalogue, nowMs, beforeMs));
}

export async function deleteDue(
  ports: Pick<RetentionPorts, "policies" | "ageClock" | "applyRetention">,
  actor: string,
  { dryRun, beforeMs }: RetentionAsked,
): Promise<Outcome<RetentionReport>> {
  const terms = termsInForce(ports, beforeMs);
  if (!terms.ok) return terms;
  const run = await ports.applyRetention({ terms: terms.value, dryRun, actor });
  return done({ terms: terms.value, ...run });
}

/**
 * Over records that one process can reach. What was deleted of a log is in that log as well, with each batch, so that
 * nothing is gone unsaid where this process dies at it.
 */
export function recordedRetention(
  ports: RecordPorts & Pick<ChangePorts, "clock" | "entropy"> & { readonly directory: DirectoryAdmin; readonly log: Log },
): ApplyRetention {
  return async (order) => {
    const run = await applyRetention(ports, order.terms, order.dryRun);
    logFailures(ports.log, run);
    const audit = retentionAudit(ports, order, run);
    if (audit !== undefined) await ports.directory.note(audit);
    return run;
  };
}

/** What was thrown stays in the log: nobody knows what a store says of itself. */
export function logFailures(log: Log, { failures }: RetentionRun): void {
  for (const { kind, tenantId, error } of failures)
    log.error("not all records that are due could be deleted", { records: kind, tenant: tenantId, error });
}

/** What the audit says of a run; `undefined` where nothing was deleted and nothing failed. */
export function retentionAudit(
  ports: Pick<ChangePorts, "clock" | "entropy">,
  { terms: { policyVersion, policyDigest }, dryRun, actor }: RetentionOrder,
  run: RetentionRun,
): AuditEntry | undefined {
  const deleted = run.counts.filter((count) => count.deleted > 0);
  if (dryRun || (deleted.length === 0 && run.failures.length === 0)) return undefined;
  const detail = { policyVersion, policyDigest, deleted: deleted.map(countDocument), ...failureDocument(run) };
  return auditEntry(ports, nowRfc3339(ports.clock), actor, "retention.apply", "*", detail);
}

export interface RetentionCountDocument {
  records: RecordKind;
  retentionClass: string;
  /** RFC 3339. */
  before: string;
  deleted: number;
  held: number;
  oldest: string | null;
  newest: string | null;
}

/** Of what not all that is due was found or deleted. */
export interface RetentionFailureDocument {
  failed: RecordKind[];
  failedTenants: string[];
}

export function failureDocument({ failures }: RetentionRun): RetentionFailureDocument {
  const tenants = failures.flatMap(({ tenantId }) => tenantId ?? []);
  return { failed: [...new Set(failures.map(({ kind }) => kind))], failedTenants: [...new Set(tenants)] };
}

export function countDocument(count: RetentionCount): RetentionCountDocument {
  const { kind, className, beforeMs, deleted, held, oldestMs, newestMs } = count;
  const span = { oldest: rfc3339(oldestMs), newest: rfc3339(newestMs) };
  return { records: kind, retentionClass: className, before: new Date(beforeMs).toISOString(), deleted, held, ...span };
}

function rfc3339(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
