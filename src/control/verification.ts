import type { Verification, VerificationState } from "../tenant/tenant.ts";
import { auditNote, change } from "./change.ts";
import type { AuditNote, ChangeBy, Changed, ChangePorts } from "./change.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome, Problem } from "./outcome.ts";

/** `suspended` and `closed` need a reason. */
export interface VerificationChange extends AuditNote {
  readonly state: VerificationState;
  /** A document's reference. `verified` needs one each time: what verified a tenant before it was suspended is spent. */
  readonly evidence?: string | undefined;
  /** RFC 3339; with `verified`: until when the evidence admits. Absent: it does not expire. */
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

/** Saying the same again changes nothing, so that a script may suspend twice; verifying again records newer evidence. */
export async function changeVerification(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  input: VerificationChange,
): Promise<Outcome<Changed<VerificationStep>>> {
  return change(ports, tenantId, by, (entry, now) => {
    const current = entry.tenant.verification;
    const evidence = input.evidence ?? (input.state === "verified" ? undefined : current.evidence);
    const same = input.state === current.state;
    const isRenewal = input.evidence !== undefined && input.evidence !== current.evidence;
    if (same && !isRenewal && (input.expiresAt ?? current.expiresAt) === current.expiresAt)
      return done({ value: { from: current.state, to: current } });
    if (!same && !transitions[current.state].includes(input.state)) {
      return no({ kind: "illegal_transition", from: current.state, to: input.state, allowed: transitions[current.state] });
    }
    if (current.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const wrong = invalid(checkChange(input, now));
    if (wrong !== undefined) return wrong;
    const { expiresAt, by: who, reason } = input;
    const verification: Verification = { state: input.state, since: now, evidence, expiresAt, by: who, reason };
    return done({
      value: { from: current.state, to: verification },
      entry: { tenant: { ...entry.tenant, verification } },
      action: "tenant.verification",
      detail: {
        from: current.state,
        to: input.state,
        evidence: evidence ?? null,
        expiresAt: expiresAt ?? null,
        ...auditNote(input),
      },
    });
  });
}

function checkChange({ state, evidence, expiresAt, reason }: VerificationChange, now: string): Problem[] {
  const problems: Problem[] = [];
  if (state === "verified" && evidence === undefined)
    problems.push({
      pointer: "/evidence",
      detail: "Name the document that shows the tenant is verified, such as a file reference.",
    });
  if ((state === "suspended" || state === "closed") && reason === undefined)
    problems.push({ pointer: "/reason", detail: "Say why: whoever reads the audit later has nothing else." });
  if (expiresAt !== undefined && state !== "verified")
    problems.push({ pointer: "/expiresAt", detail: "Only what verifies a tenant expires; leave it out." });
  else if (expiresAt !== undefined && Date.parse(expiresAt) <= Date.parse(now))
    problems.push({ pointer: "/expiresAt", detail: "Evidence that has expired verifies nobody; write a time in the future." });
  return problems;
}
