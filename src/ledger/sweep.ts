import type { Log } from "../log.ts";
import { noIntent, type ExpiredReservation, type QuotaStore } from "../quota/store.ts";
import type { Journal } from "./journal.ts";
import type { Receipt } from "./receipt.ts";
import { amountsCharged } from "./used-amounts.ts";

const batch = 100;

/**
 * Turns reservations whose lease ran out, because their gateway died, into unsettled receipts. Written before it is
 * acknowledged: dying in between writes it again, and the journal takes a receipt once. One that died between a receipt
 * and its settlement left a receipt that knows more, which is what the limits are charged then.
 */
export async function sweepExpired(quota: QuotaStore, journal: Journal, log: Log): Promise<number> {
  const swept: ExpiredReservation[] = [];
  for (;;) {
    const expired = await quota.expire(batch);
    for (const reservation of expired) {
      swept.push(reservation);
      if (reservation.intent === noIntent) {
        await quota.recorded(reservation.tenantId, [reservation.id]);
        log.warn("a slice was left by a gateway that died, and is charged whole", { tenant: reservation.tenantId });
        continue;
      }
      await journal.append(JSON.parse(reservation.intent) as Receipt);
      await quota.recorded(reservation.tenantId, [reservation.id]);
      log.warn("a request was left unsettled by a gateway that died", {
        requestId: reservation.id,
        tenant: reservation.tenantId,
      });
    }
    if (expired.length < batch) break;
  }
  // Last of all: a journal that takes receipts and cannot be read must not keep others from being recorded.
  for (const { id, tenantId, intent } of swept) if (intent !== noIntent) await settleByReceipt(id, tenantId, quota, journal);
  return swept.length;
}

async function settleByReceipt(id: string, tenantId: string, quota: QuotaStore, journal: Journal): Promise<void> {
  const receipt = await journal.find(tenantId, id);
  if (receipt === undefined || receipt.end === "unsettled" || receipt.chargedInputTokens === undefined) return;
  // Asking was counted when it was admitted.
  await quota.settle({ id, tenantId, charge: { ...amountsCharged(receipt), requests: 0 } });
}
