import type { Cancel } from "./clock.ts";
import type { ExchangePorts } from "./exchange-ports.ts";
import { errorText } from "./under-way.ts";

/** Keeps the store from taking back what is still in use. Most exchanges are over before it is time. */
export function keepLease(tenantId: string, requestId: string, { clock, quota, log, settings }: ExchangePorts): Cancel {
  const { leaseMs } = settings;
  let cancel: Cancel;
  const renew = (): void => {
    cancel = clock.after(leaseMs / 3, renew);
    quota.renew(tenantId, [requestId], leaseMs).catch((error: unknown) => {
      log.warn("a lease could not be renewed", { requestId, error: errorText(error) });
    });
  };
  cancel = clock.after(leaseMs / 3, renew);
  return () => cancel();
}
