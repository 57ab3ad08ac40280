import { DurableObject } from "cloudflare:workers";
import type { OpenReservation } from "../../ledger/journal-reader.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { sweepExpired } from "../../ledger/sweep.ts";
import { SlicedQuota } from "../../quota/slices/sliced-quota.ts";
import type { ReservationRequest, ReserveOutcome, Settlement } from "../../quota/store.ts";
import { requestId } from "../../request-id.ts";
import { ledgerMigrations } from "../sql/schema.ts";
import { systemClock, systemEntropy } from "./clock.ts";
import { HandOver, handOverMigrations } from "./hand-over.ts";
import { log } from "./log.ts";
import { ObjectDatabase } from "./object-database.ts";
import { tenantOf } from "./object-stubs.ts";
import { QueryView } from "./query-view.ts";
import { openTenantLedger, type TenantLedger } from "./tenant-ledger.ts";
import { tenantQuota } from "./tenant-quota.ts";

/** How long receipts gather before they are handed over to the tenant's object: one call for many, and soon. */
const handOverMs = 1_000;

/** After a failure. */
const retryMs = 5_000;

/**
 * One of a hot tenant's shards: it admits from slices of the limits that the tenant's object counts, keeps the requests
 * that it admitted in its own SQLite until they are settled, and hands their receipts over. Its slices are in memory
 * alone: where it is evicted, they are charged whole when their lease runs out.
 */
export class ShardObject extends DurableObject {
  readonly #ledger: TenantLedger;
  protected readonly quota: SlicedQuota;
  readonly #handOver: HandOver;
  /** As stored; kept so that not every reservation asks for it. */
  #alarmAtMs: number | undefined;

  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, bindings);
    const database = new ObjectDatabase(state.storage, { ledger: ledgerMigrations, handOver: handOverMigrations });
    const view = new QueryView(bindings.VIEW);
    this.#ledger = openTenantLedger(database, systemClock);
    this.quota = new SlicedQuota({
      exact: tenantQuota(bindings),
      local: this.#ledger.quota,
      clock: systemClock,
      elapsedMs: () => performance.now(),
      newId: () => requestId(systemEntropy, systemClock),
      log,
    });
    const target = {
      take: async (documents: readonly string[]): Promise<void> => {
        const receipts = documents.map((document) => JSON.parse(document) as Receipt);
        const [first] = receipts;
        if (first !== undefined) await tenantOf(bindings, first.tenantId).take(receipts);
      },
      waits: (name: string, sinceMs: number | undefined): Promise<void> => view.waits(name, sinceMs),
    };
    this.#handOver = new HandOver(database, target, false);
    void state.blockConcurrencyWhile(async () => {
      this.#alarmAtMs = (await state.storage.getAlarm()) ?? undefined;
    });
  }

  async reserve(request: ReservationRequest): Promise<ReserveOutcome> {
    // Before the hold: a hold that no alarm looks after would outlive a gateway that dies.
    const armed = this.#armFor(systemClock.nowMs() + request.leaseMs);
    const outcome = await this.quota.reserve(request);
    await armed;
    await this.#announce(request.tenantId);
    return outcome;
  }

  async settle(settlement: Settlement): Promise<boolean> {
    return this.quota.settle(settlement);
  }

  async renew(tenantId: string, ids: readonly string[], leaseMs: number): Promise<void> {
    return this.quota.renew(tenantId, ids, leaseMs);
  }

  /** Receipt, then settlement: a failure in between leaves a reservation that expires into a receipt which is already there. */
  async close(receipt: Receipt, settlement: Settlement): Promise<void> {
    await this.#ledger.journal.append(receipt);
    await this.#announce(receipt.tenantId);
    await this.quota.settle(settlement);
  }

  async findReceipt(tenantId: string, requestIdAsked: string): Promise<Receipt | undefined> {
    return this.#ledger.journal.find(tenantId, requestIdAsked);
  }

  async findResponse(tenantId: string, responseId: string): Promise<Receipt | undefined> {
    return this.#ledger.journal.findResponse(tenantId, responseId);
  }

  async openReservations(tenantId: string): Promise<readonly OpenReservation[]> {
    return this.#ledger.reader.open(tenantId);
  }

  /** Hands over now: whoever asks the tenant's object next finds all that was written here before. */
  async handOver(): Promise<void> {
    return this.#handOver.deliver();
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = undefined;
    try {
      await sweepExpired(this.quota, this.#ledger.journal, log);
    } catch (error) {
      log.error("sweeping failed and is tried again", { error: String(error) });
      await this.#armFor(systemClock.nowMs() + retryMs);
    }
    try {
      if (await this.#handOver.run()) await this.#armFor(systemClock.nowMs() + handOverMs);
    } catch (error) {
      log.warn("receipts could not be handed over to the tenant's object and are handed over later", { error: String(error) });
      await this.#armFor(systemClock.nowMs() + retryMs);
    }
    const nextMs = this.#ledger.nextExpiryMs();
    if (nextMs !== undefined) await this.#armFor(Math.max(nextMs, systemClock.nowMs() + 1_000));
  }

  async #announce(tenantId: string): Promise<void> {
    if (this.#handOver.announce(`${tenantId} ${this.ctx.id.toString()}`)) await this.#armFor(systemClock.nowMs() + handOverMs);
  }

  /** Makes sure that an alarm rings at `atMs` or before. */
  #armFor(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== undefined && this.#alarmAtMs <= atMs) return Promise.resolve();
    this.#alarmAtMs = atMs;
    return this.ctx.storage.setAlarm(atMs);
  }
}
