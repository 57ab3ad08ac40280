import type { Refusal } from "../refusal.ts";
import type { RefusalRecord } from "./receipt.ts";

/** A refusal as a receipt keeps it: its reasons by their codes and names, and nothing that a client wrote. */
export function refusalRecord(refusal: Refusal): RefusalRecord {
  const reasons = reasonsOf(refusal);
  return reasons === undefined ? { kind: refusal.kind } : { kind: refusal.kind, reasons };
}

function reasonsOf(refusal: Refusal): readonly string[] | undefined {
  switch (refusal.kind) {
    case "policy_denied":
    case "policy_review":
      return [refusal.rule, ...refusal.reasons];
    case "fact_unknown":
    case "fact_stale":
    case "fact_conflicting":
      return [refusal.fact];
    case "verification_expired":
      return [refusal.expiredAt];
    case "revoked":
    case "quarantined":
      return refusal.order === undefined ? undefined : [refusal.order];
    case "limit_reached":
    case "never_fits":
      return [refusal.limit];
    case "tenant_not_verified":
      return [refusal.state];
    case "upstream_timeout":
      return [refusal.deadline];
    default:
      return undefined;
  }
}
