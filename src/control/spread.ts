/**
 * What the directory says already, told to replicas by the ways of orders: it then stops what is open as fast as an order does,
 * and reaches a replica that is cut off from the directory's store.
 */
import { directory, isInForce, type RevocationScope } from "../revocation/order.ts";
import { newOrder, type RevocationPorts } from "./revocations.ts";
import type { VerificationStep } from "./verification.ts";

export type SpreadPorts = Pick<RevocationPorts, "orders" | "clock" | "entropy">;

/** A directory's staleness is at most a day, so that nobody remembers for longer what an order contradicts. */
const orderMs = 86_400_000;
const mostReason = 1_000;

/** A key that was revoked. */
export async function spreadKeyRevocation(ports: SpreadPorts, tenantId: string, keyId: string): Promise<void> {
  await spread(ports, { tenant: tenantId, key: keyId }, "its key was revoked");
}

/**
 * A tenant that is served no longer, or again: its order is then restored. What an operator ordered against it is another
 * order, and stays.
 */
export async function spreadVerification(
  ports: SpreadPorts,
  actor: string,
  tenantId: string,
  step: VerificationStep,
): Promise<void> {
  const { from, to } = step;
  if (to.state === "verified") return lift(ports, actor, tenantId);
  const isStopped = from === "verified" || to.state === "suspended" || to.state === "closed";
  if (!isStopped || inForce(ports, tenantId).length > 0) return;
  await spread(ports, { tenant: tenantId }, `${to.state.replace("_", " ")}: ${to.reason ?? "no longer verified"}`);
}

async function lift(ports: SpreadPorts, actor: string, tenantId: string): Promise<void> {
  // Another replica may have given it a moment ago.
  await ports.orders.refresh();
  const restored = { atMs: ports.clock.nowMs(), by: actor };
  for (const order of inForce(ports, tenantId)) await ports.orders.issue({ ...order, restored });
}

function inForce({ orders }: SpreadPorts, tenantId: string): ReturnType<SpreadPorts["orders"]["list"]> {
  const nowMs = orders.nowMs();
  return orders
    .list()
    .filter(
      (order) =>
        order.by === directory && order.scope.tenant === tenantId && order.scope.key === undefined && isInForce(order, nowMs),
    );
}

async function spread(ports: SpreadPorts, scope: RevocationScope, reason: string): Promise<void> {
  const expiresAtMs = ports.clock.nowMs() + orderMs;
  await ports.orders.issue(newOrder(ports, scope, reason.slice(0, mostReason), directory, expiresAtMs));
}
