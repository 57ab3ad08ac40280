import type { Cancel, Clock } from "../../clock.ts";
import type { LimitSetting } from "../../tenant/limit-setting.ts";
import type { AppliedLimit } from "../limit.ts";
import { admitted } from "../outcome.ts";
import type { ExpiredReservation, LimitState, QuotaStore, ReservationRequest, ReserveOutcome, Settlement } from "../store.ts";
import { allowsSlices } from "./allows-slices.ts";
import type { Slice } from "./slice.ts";
import { SlicePool } from "./slice-pool.ts";
import type { SlicePorts } from "./slice-ports.ts";
import { outageSlices, sharedSlices, tendEveryMs } from "./slice-settings.ts";

export interface SlicedQuotaPorts extends SlicePorts {
  /**
   * Keeps the requests that are admitted here, with their intents, until they are settled: durable, and of this replica
   * alone. It counts no limits.
   */
  readonly local: QuotaStore;
  readonly clock: Clock;
}

/** Beyond it, pools that hold nothing are forgotten: limits by end user are as many as there are end users. */
const keptPools = 10_000;

/**
 * A quota store that admits busy tenants' requests from slices of the limits of the store behind it, where every limit of a
 * request allows slices, and asks that store for every other request.
 *
 * - Slices never pass a limit: what is admitted here was held there before, and what is held there is charged whole if this
 *   replica is not heard of again.
 * - Near a limit slices get small and then there are none: what is refused is refused by the store, which knows all.
 * - The store's clock decides when a period or a lease ends; here only the time since before the call was sent is measured.
 */
export class SlicedQuota implements QuotaStore {
  readonly #ports: SlicedQuotaPorts;
  readonly #pools = new Map<string, SlicePool>();
  /** Of each request that was admitted here and is not settled, the slice that it was admitted from. */
  readonly #sliceOf = new Map<string, Slice>();
  /** Of `expire`: those that are to be recorded here. */
  readonly #expiredHere = new Set<string>();
  #stopTending: Cancel | undefined;

  constructor(ports: SlicedQuotaPorts) {
    this.#ports = ports;
  }

  async reserve(request: ReservationRequest): Promise<ReserveOutcome> {
    const { exact, local, elapsedMs } = this.#ports;
    const { limits } = request;
    if (!allowsSlices(limits)) return exact.reserve(request);
    if (this.#sliceOf.has(nameOf(request.tenantId, request.id)))
      throw new Error(`The reservation ${request.id} is open already.`);
    const pool = this.#pool(request);
    const slice = await pool.admit(request);
    if (!pool.holdsNothing) this.#tend();
    if (slice === undefined) return pool.decide(request);
    const states = inOrder(slice.states(elapsedMs()), limits);
    try {
      await local.reserve({ ...request, limits: [] });
    } catch (error) {
      slice.settle(request.id, nothing);
      throw error;
    }
    this.#sliceOf.set(nameOf(request.tenantId, request.id), slice);
    return admitted(states, request.hold);
  }

  async settle(settlement: Settlement): Promise<boolean> {
    const { exact, local } = this.#ports;
    const { tenantId, id, charge } = settlement;
    if (this.#release(tenantId, id, charge)) return local.settle(settlement);
    // What is held here is all that an instance knows which was started anew in the meantime.
    return (await exact.settle(settlement)) || local.settle(settlement);
  }

  async renew(tenantId: string, ids: readonly string[], leaseMs: number): Promise<void> {
    const { exact, local } = this.#ports;
    const elsewhere = ids.filter((id) => !this.#sliceOf.has(nameOf(tenantId, id)));
    await local.renew(tenantId, ids, leaseMs);
    if (elsewhere.length > 0) await exact.renew(tenantId, elsewhere, leaseMs);
  }

  /** Those of this replica first: while the store is away they are recorded all the same. */
  async expire(count: number): Promise<readonly ExpiredReservation[]> {
    const here = await this.#ports.local.expire(count);
    for (const { tenantId, id, hold } of here) {
      this.#expiredHere.add(nameOf(tenantId, id));
      this.#release(tenantId, id, hold);
    }
    return here.length > 0 ? here : this.#ports.exact.expire(count);
  }

  async recorded(tenantId: string, ids: readonly string[]): Promise<void> {
    const here = ids.filter((id) => this.#expiredHere.delete(nameOf(tenantId, id)));
    const elsewhere = ids.filter((id) => !here.includes(id));
    if (here.length > 0) await this.#ports.local.recorded(tenantId, here);
    if (elsewhere.length > 0) await this.#ports.exact.recorded(tenantId, elsewhere);
  }

  inspect(tenantId: string, limits: readonly AppliedLimit[]): Promise<readonly LimitState[]> {
    return this.#ports.exact.inspect(tenantId, limits);
  }

  /** The reservation in the store behind that holds a request: its own, or that of the slice that it was admitted from. */
  heldBy(tenantId: string, id: string): string {
    return this.#sliceOf.get(nameOf(tenantId, id))?.id ?? id;
  }

  /** Gives all slices back, save what open requests hold. */
  async close(): Promise<void> {
    this.#stopTending?.();
    this.#stopTending = undefined;
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()));
  }

  /** Whether a request was admitted here; then its slice is charged. */
  #release(tenantId: string, id: string, charge: Settlement["charge"]): boolean {
    const name = nameOf(tenantId, id);
    const slice = this.#sliceOf.get(name);
    if (slice === undefined) return false;
    this.#sliceOf.delete(name);
    slice.settle(id, charge);
    return true;
  }

  #pool({ tenantId, limits }: ReservationRequest): SlicePool {
    const name = poolName(tenantId, limits);
    let pool = this.#pools.get(name);
    if (pool === undefined) {
      if (this.#pools.size >= keptPools) this.#forget();
      const lasts = limits.every(({ setting }) => setting.onOutage === "allow-local");
      pool = new SlicePool(tenantId, lasts ? outageSlices : sharedSlices, lasts, this.#ports);
      this.#pools.set(name, pool);
    }
    return pool;
  }

  #tend(): void {
    if (this.#stopTending !== undefined) return;
    this.#stopTending = this.#ports.clock.after(tendEveryMs, () => {
      this.#stopTending = undefined;
      for (const pool of this.#pools.values()) {
        if (pool.holdsNothing) continue;
        // No timer where nothing is held: it would keep an object awake.
        this.#tend();
        void pool.tend();
      }
    });
  }

  #forget(): void {
    for (const [name, pool] of this.#pools) if (pool.holdsNothing) this.#pools.delete(name);
  }
}

const nothing = { requests: 0, tokens: 0, inputTokens: 0, outputTokens: 0, microUsd: 0 };

function nameOf(tenantId: string, id: string): string {
  return `${tenantId} ${id}`;
}

const settingTexts = new WeakMap<LimitSetting, string>();

/** A limit that is changed has slices of its own: those of the old one go back. */
function poolName(tenantId: string, limits: readonly AppliedLimit[]): string {
  let name = tenantId;
  for (const { setting, counter } of limits) {
    let text = settingTexts.get(setting);
    if (text === undefined) {
      text = JSON.stringify(setting);
      settingTexts.set(setting, text);
    }
    name += `\n${counter} ${text}`;
  }
  return name;
}

/** The limits in the order asked, with the periods that were sent. */
function inOrder(states: readonly LimitState[], limits: readonly AppliedLimit[]): LimitState[] {
  return states.map((state, index) => ({ ...state, limit: limits[index] ?? state.limit }));
}
