import type { Verification, VerificationState } from "../tenant/tenant.ts";
import { auditNote, change } from "./change.ts";
import type { AuditNote, ChangeBy, Changed, ChangePorts } from "./change.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome, Problem } from "./outcome.ts";

/**
 * A step of the onboarding, with all that explains it. Operators share a key, which tells nobody apart: `by` names the person
 * or desk. Each step is shown by a document of its own, for what verified a tenant before it was suspended is spent.
 */
export interface VerificationChange extends AuditNote {
  readonly state: VerificationState;
  readonly by: string;
  readonly reason: string;
  /** A document's reference, never the document. */
  readonly evidence: string;
  /**
   * RFC 3339; with `verified`: until when the evidence admits. Absent: it does not expire, or, where the tenant is verified by
   * the same evidence, when it would have anyway.
   */
  readonly expiresAt?: string | undefined;
}

/** What a change came to; without one, `from` is the state as it is. */
export interface VerificationStep {
  readonly from: VerificationState;
  readonly to: Verification;
}

/**
 * Suspending is open from every living state, because it is what an operator reaches for in haste. `closed` is the
 * end: a company that comes back is a new tenant, whose keys and counters start afresh.
 */
export const transitions: Readonly<Record<VerificationState, readonly VerificationState[]>> = {
  applied: ["under_review", "verified", "suspended", "closed"],
  under_review: ["applied", "verified", "suspended", "closed"],
  verified: ["under_review", "suspended", "closed"],
  suspended: ["under_review", "verified", "closed"],
  closed: [],
};

/**
 * Saying the very same again changes nothing, so that a script may suspend twice. The same state by other evidence, by
 * somebody else or for another reason is a step as well.
 */
export async function changeVerification(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  input: VerificationChange,
): Promise<Outcome<Changed<VerificationStep>>> {
  return change(ports, tenantId, by, (entry, now) => {
    const current = entry.tenant.verification;
    const { state, evidence, by: who, reason } = input;
    const isSame = state === current.state;
    const expiresAt = input.expiresAt ?? (isSame && evidence === current.evidence ? current.expiresAt : undefined);
    const verification: Verification = { state, since: now, evidence, expiresAt, by: who, reason };
    if (saysTheSame(verification, current)) return done({ value: { from: current.state, to: current } });
    if (!isSame && !transitions[current.state].includes(state))
      return no({ kind: "illegal_transition", from: current.state, to: state, allowed: transitions[current.state] });
    if (current.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const wrong = invalid(checkExpiry(verification, now));
    if (wrong !== undefined) return wrong;
    return done({
      value: { from: current.state, to: verification },
      entry: { tenant: { ...entry.tenant, verification } },
      action: "tenant.verification",
      detail: {
        from: current.state,
        to: state,
        evidence,
        expiresAt: expiresAt ?? null,
        ...auditNote(input),
      },
    });
  });
}

function saysTheSame(one: Verification, other: Verification): boolean {
  const saidBy = ({ state, evidence, expiresAt, by, reason }: Verification) => [state, evidence, expiresAt, by, reason];
  return JSON.stringify(saidBy(one)) === JSON.stringify(saidBy(other));
}

function checkExpiry({ state, expiresAt }: Verification, now: string): Problem[] {
  if (expiresAt === undefined) return [];
  if (state !== "verified") return [{ pointer: "/expiresAt", detail: "Only what verifies a tenant expires; leave it out." }];
  if (Date.parse(expiresAt) > Date.parse(now)) return [];
  return [{ pointer: "/expiresAt", detail: "Evidence that has expired verifies nobody; write a time in the future." }];
}
