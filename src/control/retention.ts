import { isInForce, type PolicyShelf } from "../bundle/policy-shelf.ts";
import type { RetentionCount } from "../retention/apply-retention.ts";
import { retentionTerms, type RetentionTerms } from "../retention/retention-terms.ts";
import { auditEntry, nowRfc3339, type ChangePorts } from "./change.ts";
import { done, no, type Outcome } from "./outcome.ts";

/** Deletes what terms say is due, wherever records lie, or only counts it. */
export type ApplyRetention = (terms: RetentionTerms, dryRun: boolean) => Promise<readonly RetentionCount[]>;

export interface RetentionPorts extends ChangePorts {
  readonly policies: () => PolicyShelf;
  readonly applyRetention: ApplyRetention;
}

export interface RetentionAsked {
  readonly dryRun: boolean;
  /** Milliseconds since the epoch: nothing younger, whatever the classes allow. */
  readonly beforeMs?: number | undefined;
}

export interface RetentionReport {
  readonly terms: RetentionTerms;
  readonly counts: readonly RetentionCount[];
}

/** By the policy that is in force now. Without one nobody knows how long records must be kept. */
export function termsInForce(ports: Pick<RetentionPorts, "policies" | "clock">, beforeMs?: number): Outcome<RetentionTerms> {
  const nowMs = ports.clock.nowMs();
  const shelved = ports.policies().policyAt(nowMs);
  if (!isInForce(shelved, nowMs)) return no({ kind: "policy_not_in_force" });
  return done(retentionTerms(shelved.world.policy, shelved.world.catalogue, nowMs, beforeMs));
}

/**
 * Deletes what is due, and writes who did it and what it came to into the audit. What was deleted of a log is in that log
 * as well, with each batch, so that nothing is gone unsaid where this fails before its end.
 */
export async function deleteDue(
  ports: RetentionPorts,
  actor: string,
  { dryRun, beforeMs }: RetentionAsked,
): Promise<Outcome<RetentionReport>> {
  const terms = termsInForce(ports, beforeMs);
  if (!terms.ok) return terms;
  const counts = await ports.applyRetention(terms.value, dryRun);
  const deleted = counts.filter((count) => count.deleted > 0);
  if (!dryRun && deleted.length > 0) {
    const { policyVersion, policyDigest } = terms.value;
    const detail = { policyVersion, policyDigest, deleted: deleted.map(countDocument) };
    await ports.directory.note(auditEntry(ports, nowRfc3339(ports.clock), actor, "retention.apply", "*", detail));
  }
  return done({ terms: terms.value, counts });
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
