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
      return [refusal.rule, ...refusal.reasons];
    case "fact_unknown":
      return [refusal.fact];
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
