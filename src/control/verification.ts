import type { Verification, VerificationState } from "../tenant/tenant.ts";
import { change } from "./change.ts";
import type { ChangeBy, Changed, ChangePorts } from "./change.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";

export interface VerificationChange {
  readonly state: VerificationState;
  /** A document's reference. `verified` needs one each time: what verified a tenant before it was suspended is spent. */
  readonly evidence?: string | undefined;
  readonly reason?: string | undefined;
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
): Promise<Outcome<Changed<Verification>>> {
  return change(ports, tenantId, by, (entry, now) => {
    const current = entry.tenant.verification;
    const evidence = input.evidence ?? (input.state === "verified" ? undefined : current.evidence);
    const same = input.state === current.state;
    if (same && (input.evidence === undefined || input.evidence === current.evidence)) return done({ value: current });
    if (!same && !transitions[current.state].includes(input.state)) {
      return no({ kind: "illegal_transition", from: current.state, to: input.state, allowed: transitions[current.state] });
    }
    if (current.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const wrong = invalid(
      input.state === "verified" && evidence === undefined
        ? [{ pointer: "/evidence", detail: "Name the document that shows the tenant is verified, such as a file reference." }]
        : [],
    );
    if (wrong !== undefined) return wrong;
    const verification: Verification = { state: input.state, since: now, evidence };
    return done({
      value: verification,
      entry: { tenant: { ...entry.tenant, verification } },
      action: "tenant.verification",
      detail: { from: current.state, to: input.state, evidence: evidence ?? null, reason: input.reason ?? null },
    });
  });
}
