import { StoreUnavailable, type QuotaStore } from "../../quota/store.ts";
import type { WriteAheadJournal } from "./write-ahead-journal.ts";

/**
 * Admits nothing new while the file in front of the journal is nearly full: a request that begins now would end with a
 * receipt that finds no room. What is under way is settled as ever.
 */
export function refuseWhenFull(quota: QuotaStore, journal: Pick<WriteAheadJournal, "hasRoom">): QuotaStore {
  return {
    async reserve(request) {
      if (!journal.hasRoom)
        throw new StoreUnavailable("The write-ahead file is nearly full: too many receipts wait for the journal.");
      return quota.reserve(request);
    },
    settle: (settlement) => quota.settle(settlement),
    renew: (tenantId, ids, leaseMs) => quota.renew(tenantId, ids, leaseMs),
    expire: (count) => quota.expire(count),
    recorded: (tenantId, ids) => quota.recorded(tenantId, ids),
    inspect: (tenantId, limits) => quota.inspect(tenantId, limits),
  };
}
