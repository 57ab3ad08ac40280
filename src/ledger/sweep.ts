import type { Log } from "../log.ts";
import { noIntent, type QuotaStore } from "../quota/store.ts";
import type { Journal } from "./journal.ts";
import type { Receipt } from "./receipt.ts";

const batch = 100;

/**
 * Turns reservations whose lease ran out, because their gateway died, into unsettled receipts. Written before it is
 * acknowledged: dying in between writes it again, and the journal takes a receipt once.
 */
export async function sweepExpired(quota: QuotaStore, journal: Journal, log: Log): Promise<number> {
  let swept = 0;
  for (;;) {
    const expired = await quota.expire(batch);
    for (const reservation of expired) {
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
    swept += expired.length;
    if (expired.length < batch) return swept;
  }
}
