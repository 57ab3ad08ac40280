import { statusFor } from "./deliver.ts";
import { outcomeReceipt, settlementFacts, type Outcome, type ReceiptBasis } from "./ledger/make-receipt.ts";
import { settle } from "./ledger/settlement.ts";
import { receiptAttributes } from "./trace-exchange.ts";
import { spanName } from "./trace-names.ts";
import { errorText, type UnderWay } from "./under-way.ts";
import type { Forwarded } from "./upstream/forward.ts";

/**
 * Settles and records, once. Gives the outcome as the client is to see it: where the record cannot be written, the end of
 * the answer is refused, because nothing is served without its record. Nothing is lost then either: the reservation has an
 * intent of its own to fall back on.
 */
export async function closeBooks(
  basis: ReceiptBasis,
  forwarded: Forwarded | undefined,
  outcome: Outcome,
  { ports, reply, trace }: UnderWay,
): Promise<Outcome> {
  const settling = trace.step(spanName.settle);
  // What broke before its head was sent is told as a plain error, so nothing of it was given to the client.
  const brokeUnsent = outcome.end === "upstream_failed" && reply.status === undefined;
  const settled = settle(settlementFacts(basis, forwarded, brokeUnsent));
  const receipt = outcomeReceipt(basis, forwarded, outcome, settled, statusFor(forwarded, outcome, reply), ports.clock.nowMs());
  trace.set(() => receiptAttributes(receipt));
  if (settled.usageSource === "reported" && outcome.end === "completed") {
    ports.learning?.learn(basis.caller.tenant.id, basis.permit.model.id, basis.request, settled.usage);
  }
  try {
    await ports.books.close(receipt, { id: basis.requestId, tenantId: basis.caller.tenant.id, charge: settled.charge });
    settling.end();
    return outcome;
  } catch (error) {
    ports.log.error("a receipt could not be written; its reservation will expire into one", {
      requestId: basis.requestId,
      error: errorText(error),
    });
    settling.fail("store_unavailable");
    return { ...outcome, refusal: { kind: "store_unavailable", retryAfterMs: 1_000 } };
  }
}
