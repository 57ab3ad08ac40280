import type { LegalHold } from "../tenant/tenant.ts";
import { change } from "./change.ts";
import type { ChangeBy, Changed, ChangePorts } from "./change.ts";
import { done } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";

export interface NewLegalHold {
  readonly reason: string;
  /** Who asked for it, where it is not the operator's key alone that tells. */
  readonly by?: string | undefined;
}

/** From here on nothing of the tenant is deleted; a closed tenant may be held as well. The same hold again changes nothing. */
export function holdTenant(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  input: NewLegalHold,
): Promise<Outcome<Changed<LegalHold>>> {
  return change(ports, tenantId, by, ({ tenant }, now) => {
    const current = tenant.legalHold;
    if (current !== undefined && current.reason === input.reason && current.by === input.by) return done({ value: current });
    // It goes on from when the first one began, whatever the newer reason.
    const legalHold: LegalHold = { since: current?.since ?? now, reason: input.reason, by: input.by };
    const detail = { reason: input.reason, by: input.by ?? null };
    return done({ value: legalHold, entry: { tenant: { ...tenant, legalHold } }, action: "retention.hold", detail });
  });
}

export function releaseTenant(ports: ChangePorts, tenantId: string, by: ChangeBy): Promise<Outcome<Changed<undefined>>> {
  return change(ports, tenantId, by, ({ tenant }) => {
    if (tenant.legalHold === undefined) return done({ value: undefined });
    const { since, reason } = tenant.legalHold;
    const entry = { tenant: { ...tenant, legalHold: undefined } };
    return done({ value: undefined, entry, action: "retention.release", detail: { since, reason } });
  });
}
