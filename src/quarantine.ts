import { issueRevocation, type RevocationPorts } from "./control/revocations.ts";
import type { Quarantine } from "./place-alarm.ts";
import { isInForce, isQuarantine, quarantiner } from "./revocation/order.ts";

/** A quarantine is a revocation of one deployment that the gateway itself orders, without an end; an operator restores it. */
export function quarantineBy(ports: RevocationPorts): Quarantine {
  return async ({ id }, reason) => {
    const nowMs = ports.orders.nowMs();
    const stands = ports.orders
      .list()
      .some((order) => isQuarantine(order) && order.scope.deployment === id && isInForce(order, nowMs));
    if (stands) return;
    const issued = await issueRevocation(ports, quarantiner, { deployment: id, reason: reason.slice(0, 1_000) });
    if (!issued.ok) throw new Error(`the quarantine of ${id} is refused: ${JSON.stringify(issued)}`);
  };
}
