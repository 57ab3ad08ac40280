import { amountsOf } from "./limit.ts";
import type { QuotaStore, ReservationRequest, ReserveOutcome, Settlement } from "./store.ts";

const nothing = amountsOf(0, 0, 0, 0);

/**
 * A quota store whose requests' intents are kept on this machine as well, from before their first byte goes upstream until
 * they are settled: a store in memory that dies together with a gateway would take along all that is known of what that
 * gateway had sent. What is left of a dead gateway is found by `local.expire`; a journal takes it once, whoever tells of it.
 */
export class KeptIntents implements QuotaStore {
  readonly #exact: QuotaStore;
  readonly #local: QuotaStore;
  readonly expire: QuotaStore["expire"];
  readonly recorded: QuotaStore["recorded"];
  readonly inspect: QuotaStore["inspect"];

  /** `local` is durable, and of this machine; it counts no limits. Its own leftovers are asked of it directly. */
  constructor(exact: QuotaStore, local: QuotaStore) {
    this.#exact = exact;
    this.#local = local;
    this.expire = (count) => exact.expire(count);
    this.recorded = (tenantId, ids) => exact.recorded(tenantId, ids);
    this.inspect = (tenantId, limits) => exact.inspect(tenantId, limits);
  }

  async reserve(request: ReservationRequest): Promise<ReserveOutcome> {
    const outcome = await this.#exact.reserve(request);
    // A slice is no request: those that are admitted from it are kept by whoever admits them.
    if (!outcome.admitted || request.slice === true) return outcome;
    try {
      await this.#local.reserve({ ...request, limits: [] });
    } catch (error) {
      await this.#exact.settle({ id: request.id, tenantId: request.tenantId, charge: nothing });
      throw error;
    }
    return outcome;
  }

  async settle(settlement: Settlement): Promise<boolean> {
    try {
      return await this.#exact.settle(settlement);
    } finally {
      // Its receipt is written before it is settled, so that nothing hangs on the intent any more.
      await this.#local.settle(settlement);
    }
  }

  async renew(tenantId: string, ids: readonly string[], leaseMs: number): Promise<void> {
    await this.#local.renew(tenantId, ids, leaseMs);
    await this.#exact.renew(tenantId, ids, leaseMs);
  }
}
