import { setTimeout as delay } from "node:timers/promises";
import type { Gateway } from "../harness/gateway.ts";
import { ask, askAtOnce, tenantOf } from "./asking.ts";
import type { FaultRow } from "./fault-row.ts";
import type { HostilePlace } from "./hostile-place.ts";

/** Clients that ask one prompt after another, all at once. */
const clients = 8;
const afterEndMs = 700;
const dayMs = 86_400_000;

export interface EndedBundle extends FaultRow {
  /** Requests that reached the upstream although their policy had ended, by the clock of then. */
  readonly late: number;
  /** Of the requests after the clock had jumped back, when the policy was in force again. */
  readonly answeredBetween: number;
  readonly answeredBeforeEnd: number;
}

/** A gateway whose only bundle ends at `endsAtMs`: first its clock jumps past that and back, then the end comes under load. */
export async function outliveBundle(
  gateway: Gateway,
  endsAtMs: number,
  upstream: HostilePlace,
  setClock: (offsetMs: number) => Promise<void>,
): Promise<EndedBundle> {
  const { key } = await tenantOf(gateway, "JP");

  await setClock(dayMs);
  const before = upstream.requests.length;
  await askAtOnce(gateway, key, clients);
  const reachedAfterJump = upstream.requests.length - before;
  await setClock(0);
  const answeredBetween = await askAtOnce(gateway, key, clients);

  const load = await askUntil(gateway, key, endsAtMs);
  // Whatever was decided before the end has been answered by now.
  const beforeEnd = upstream.requests.length;
  const after = await askUntil(gateway, key, Date.now() + afterEndMs);
  return {
    sent: 2 * clients + load.sent + after.sent,
    answered: answeredBetween + load.answered + after.answered,
    reached: upstream.requests.length - before,
    late: reachedAfterJump + upstream.requests.length - beforeEnd,
    answeredBetween,
    answeredBeforeEnd: load.answered,
  };
}

async function askUntil(gateway: Gateway, key: string, untilMs: number): Promise<Pick<FaultRow, "sent" | "answered">> {
  let sent = 0;
  let answered = 0;
  const client = async (): Promise<void> => {
    while (Date.now() < untilMs) {
      sent += 1;
      const { status } = await ask(gateway, key);
      if (status === 200) answered += 1;
      else await delay(20);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { sent, answered };
}
