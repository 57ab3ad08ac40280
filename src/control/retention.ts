import { isInForce, type PolicyShelf } from "../bundle/policy-shelf.ts";
import type { Log } from "../log.ts";
import type { RecordKind } from "../region/policy.ts";
import type { RetentionCount, RetentionRun } from "../retention/apply-retention.ts";
import { retentionTerms, type RetentionTerms } from "../retention/retention-terms.ts";
import { auditEntry, nowRfc3339, type ChangePorts } from "./change.ts";
import { done, no, type Outcome } from "./outcome.ts";

/** Deletes what terms say is due, wherever records lie, or only counts it. */
export type ApplyRetention = (terms: RetentionTerms, dryRun: boolean) => Promise<RetentionRun>;

export interface RetentionPorts extends ChangePorts {
  readonly policies: () => PolicyShelf;
  readonly applyRetention: ApplyRetention;
  readonly log: Log;
}

export interface RetentionAsked {
  readonly dryRun: boolean;
  /** Milliseconds since the epoch: nothing younger, whatever the classes allow. */
  readonly beforeMs?: number | undefined;
}

export interface RetentionReport {
  readonly terms: RetentionTerms;
  readonly counts: readonly RetentionCount[];
  /** Of which not all that is due was found or deleted; the gateway's log says why. */
  readonly failed: readonly RecordKind[];
}

/** By the policy that is in force now. Without one nobody knows how long records must be kept. */
export function termsInForce(ports: Pick<RetentionPorts, "policies" | "clock">, beforeMs?: number): Outcome<RetentionTerms> {
  const nowMs = ports.clock.nowMs();
  const shelved = ports.policies().policyAt(nowMs);
  if (!isInForce(shelved, nowMs)) return no({ kind: "policy_not_in_force" });
  return done(retentionTerms(shelved.world.policy, shelved.world.catalogue, nowMs, beforeMs));
}

/**
 * Deletes what is due, and writes who did it and what it came to into the audit, also where it failed before its end. What
 * was deleted of a log is in that log as well, with each batch, so that nothing is gone unsaid where this process dies at it.
 *
 * @throws {StoreUnavailable} where the audit entry cannot be written; what was deleted until then is gone.
 */
export async function deleteDue(
  ports: RetentionPorts,
  actor: string,
  { dryRun, beforeMs }: RetentionAsked,
): Promise<Outcome<RetentionReport>> {
  const terms = termsInForce(ports, beforeMs);
  if (!terms.ok) return terms;
  const { counts, failures } = await ports.applyRetention(terms.value, dryRun);
  for (const { kind, error } of failures)
    ports.log.error("not all records that are due could be deleted", { records: kind, error });
  const failed = [...new Set(failures.map(({ kind }) => kind))];
  const deleted = counts.filter((count) => count.deleted > 0);
  if (!dryRun && (deleted.length > 0 || failed.length > 0)) {
    const { policyVersion, policyDigest } = terms.value;
    const detail = { policyVersion, policyDigest, deleted: deleted.map(countDocument), failed };
    await ports.directory.note(auditEntry(ports, nowRfc3339(ports.clock), actor, "retention.apply", "*", detail));
  }
  return done({ terms: terms.value, counts, failed });
}

export interface RetentionCountDocument {
  records: RetentionCount["kind"];
  retentionClass: string;
  /** RFC 3339. */
  before: string;
  deleted: number;
  held: number;
  oldest: string | null;
  newest: string | null;
}

export function countDocument(count: RetentionCount): RetentionCountDocument {
  const { kind, className, beforeMs, deleted, held, oldestMs, newestMs } = count;
  const span = { oldest: rfc3339(oldestMs), newest: rfc3339(newestMs) };
  return { records: kind, retentionClass: className, before: new Date(beforeMs).toISOString(), deleted, held, ...span };
}

function rfc3339(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
