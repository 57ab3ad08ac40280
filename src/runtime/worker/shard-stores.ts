import { allowsSlices } from "../../quota/slices/allows-slices.ts";
import { systemClock } from "./clock.ts";
import type { Bindings } from "./environment.ts";
import { keepHotEntries } from "./hot-directory.ts";
import { askShards, shardWith, type RemoteShard } from "./object-stubs.ts";
import { reach, reachAgain } from "./reach.ts";
import type { ObjectStores } from "./stores.ts";

/** More are never in flight in one isolate; what is beyond was not settled where it should have been, and its lease runs out. */
const mostOpen = 100_000;

/**
 * Sends requests of which all limits allow slices to one of the tenant's shards, chosen by the request's id, so that a
 * tenant's load is not bounded by what one object takes. Shards hand their receipts over to the tenant's object within
 * seconds, which alone takes them into the tenant's log; what is not found there yet is looked for in them, or handed over
 * at once where a proof is asked for.
 */
export function withShards(stores: ObjectStores, bindings: Pick<Bindings, "SHARDS">): ObjectStores {
  const { quota, journal, books, reservations, directory, logOf } = stores;
  /** Requests that this isolate has open on a shard. */
  const open = new Set<string>();
  const isOpen = (tenantId: string, id: string): boolean => open.has(`${tenantId} ${id}`);
  const shard = (tenantId: string, id: string): RemoteShard => shardWith(bindings, tenantId, id);
  const all = <Result>(tenantId: string, call: (shard: RemoteShard) => Promise<Result>): Promise<Result[]> =>
    askShards(bindings, tenantId, call);

  return {
    ...stores,
    directory: keepHotEntries(directory, systemClock),
    quota: {
      ...quota,
      async reserve(request) {
        if (!allowsSlices(request.limits)) return quota.reserve(request);
        const outcome = await reach(() => shard(request.tenantId, request.id).reserve(request));
        if (open.size >= mostOpen) open.clear();
        if (outcome.admitted) open.add(`${request.tenantId} ${request.id}`);
        return outcome;
      },
      async settle(settlement) {
        const { tenantId, id } = settlement;
        if (!isOpen(tenantId, id)) return quota.settle(settlement);
        const settled = await reach(() => shard(tenantId, id).settle(settlement));
        open.delete(`${tenantId} ${id}`);
        return settled;
      },
      async renew(tenantId, ids, leaseMs) {
        const elsewhere = ids.filter((id) => !isOpen(tenantId, id));
        if (elsewhere.length > 0) await quota.renew(tenantId, elsewhere, leaseMs);
        for (const id of ids) {
          if (isOpen(tenantId, id)) await reachAgain(() => shard(tenantId, id).renew(tenantId, [id], leaseMs));
        }
      },
    },
    books: {
      async close(receipt, settlement) {
        const { tenantId, id } = settlement;
        if (!isOpen(tenantId, id)) return books.close(receipt, settlement);
        await reachAgain(() => shard(tenantId, id).close(receipt, settlement));
        open.delete(`${tenantId} ${id}`);
      },
    },
    journal: {
      ...journal,
      async find(tenantId, requestId) {
        const found = await journal.find(tenantId, requestId);
        // A shard may know the end that was reported late of what was swept and handed over.
        if (found !== undefined && found.end !== "unsettled") return found;
        return (await reachAgain(() => shard(tenantId, requestId).findReceipt(tenantId, requestId))) ?? found;
      },
      async findResponse(tenantId, responseId) {
        const found = await journal.findResponse(tenantId, responseId);
        if (found !== undefined) return found;
        return (await all(tenantId, (one) => one.findResponse(tenantId, responseId))).find((one) => one !== undefined);
      },
    },
    logOf(tenantId) {
      const log = logOf(tenantId);
      return {
        ...log,
        async prove(_, requestId) {
          const proved = await log.prove(tenantId, requestId);
          const isFinal = typeof proved === "string" ? proved !== "absent" : proved.receipt["end"] !== "unsettled";
          if (isFinal) return proved;
          await reachAgain(() => shard(tenantId, requestId).handOver());
          return log.prove(tenantId, requestId);
        },
      };
    },
    reservations: {
      open: async (tenantId) => [
        ...(await reservations.open(tenantId)),
        ...(await all(tenantId, (one) => one.openReservations(tenantId))).flat(),
      ],
    },
  };
}
