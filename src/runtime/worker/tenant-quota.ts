import type { QuotaStore } from "../../quota/store.ts";
import type { Bindings } from "./environment.ts";
import { tenantOf } from "./object-stubs.ts";
import { reach, reachAgain } from "./reach.ts";

/** Limits as each tenant's object counts them. */
export function tenantQuota(bindings: Pick<Bindings, "TENANTS">): QuotaStore {
  return {
    // Once: a second try of one that was admitted would find its own id and fail.
    reserve: (request) => reach(() => tenantOf(bindings, request.tenantId).reserve(request)),
    settle: (settlement) => reach(() => tenantOf(bindings, settlement.tenantId).settle(settlement)),
    renew: (tenantId, ids, leaseMs) => reachAgain(() => tenantOf(bindings, tenantId).renew(tenantId, ids, leaseMs)),
    // Each object takes back its own by its alarm and records it there: from outside there is never any left.
    expire: () => Promise.resolve([]),
    recorded: (tenantId, ids) => reachAgain(() => tenantOf(bindings, tenantId).recorded(tenantId, ids)),
    inspect: (tenantId, limits) => reachAgain(() => tenantOf(bindings, tenantId).inspect(tenantId, limits)),
  };
}
