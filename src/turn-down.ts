/** What happens to a request that is refused before anything was held for it. */
import { refusalReceipt, type RefusalBasis } from "./ledger/make-refusal.ts";
import type { Refusal } from "./refusal.ts";
import { limitsAsTheyStand } from "./reserve.ts";
import type { UnderWay } from "./under-way.ts";

/** Records the refusal, and lets the client see its limits all the same. */
export async function turnDown(refusal: Refusal, basis: RefusalBasis, exchange: UnderWay): Promise<Refusal> {
  const { call, ports, reply } = exchange;
  // Together, so that both are in one commit.
  const [states] = await Promise.all([limitsAsTheyStand(basis.caller, ports), recordRefusal(refusal, basis, exchange)]);
  reply.add(call.dialect.rateHeaders(states, ports.clock.nowMs()));
  return refusal;
}

/**
 * Writes what was refused and why, before the client is told. A store that cannot take it throws, and the client is told
 * that instead: nothing is said that nobody can look up.
 */
export async function recordRefusal(refusal: Refusal, basis: RefusalBasis, { ports, reply }: UnderWay): Promise<Refusal> {
  const nowMs = ports.clock.nowMs();
  await ports.refusals?.append(refusalReceipt(basis, refusal, ports.world(nowMs), reply.statusOf(refusal), nowMs));
  return refusal;
}
