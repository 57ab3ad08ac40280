import { setTimeout as delay } from "node:timers/promises";
import type {
  IssuedRevocationDocument,
  RevocationDocument,
  RevocationStateDocument,
} from "../../../src/control/revocation-documents.ts";
import type { Operator, TestTenant } from "../../blackbox/harness/operator.ts";

/** What an operator cuts off, by which of the ways there are. */
export type Revoked = "an order" | "a key revoked" | "a tenant suspended";

/** Cuts a tenant off, and resolves with the id of the order that tells the replicas so. */
export async function orderOf(how: Revoked, operator: Operator, tenant: TestTenant): Promise<string> {
  const { id, keyId } = tenant;
  if (how === "an order")
    return (await operator.ask<IssuedRevocationDocument>("POST", "/revocations", { tenant: id, reason: "drill" })).id;
  if (how === "a key revoked") await operator.revokeKey(tenant);
  else await operator.verification(id, "suspended");
  const key = how === "a key revoked" ? keyId : null;
  return idOf(operator, (order) => order.tenant === id && order.key === key);
}

/** The id of the order by which a gateway took a deployment out of use. */
export function quarantineOf(operator: Operator): Promise<string> {
  return idOf(operator, ({ by, deployment }) => by === "gateway" && deployment !== null);
}

async function idOf(operator: Operator, isMeant: (order: RevocationDocument) => boolean): Promise<string> {
  const { revocations } = await operator.ask<{ revocations: readonly RevocationDocument[] }>("GET", "/revocations");
  const found = revocations.find((order) => order.state === "in_force" && isMeant(order));
  if (found === undefined) throw new Error("no order tells the replicas of it");
  return found.id;
}

/** How many replicas acknowledged an order once it is complete, so that all that each cut has ended; 0 where it is not in time. */
export async function acknowledging(operator: Operator, orderId: string, withinMs: number): Promise<number> {
  for (const untilMs = performance.now() + withinMs; performance.now() < untilMs; await delay(100)) {
    const state = await operator.ask<RevocationStateDocument>("GET", `/revocations/${orderId}`);
    if (state.complete) return state.acknowledgements.length;
  }
  return 0;
}
