import { amountsOf, type Amounts, type AppliedLimit } from "../limit.ts";
import { noIntent, StoreUnavailable, type LimitState, type ReservationRequest, type ReserveOutcome } from "../store.ts";
import type { LimitUnit } from "../../tenant/limit-setting.ts";
import { Demand } from "./demand.ts";
import { sliceSize, fewestRequests } from "./slice-size.ts";
import { Slice } from "./slice.ts";
import { holdOffMs, type SliceSettings } from "./slice-settings.ts";
import type { SlicePorts } from "./slice-ports.ts";
import { SliceReturns } from "./slice-returns.ts";

/** How often one request waits for a new slice before it is decided by the store itself. */
const mostRefills = 2;

/** A slice of which less than one part in so many is left is used up. */
const spentParts = 8;

/** The lease is counted from before the call was sent; the rest is for clocks that run at different speeds. */
const leaseUsed = 0.9;

/**
 * The slices of one set of limits of one tenant. One is asked for before it is needed, at most one at a time, and sized by
 * what was asked lately. Where the store gives none, or is away, requests are decided by the store.
 */
export class SlicePool {
  readonly #tenantId: string;
  readonly #settings: SliceSettings;
  /** What is left of a slice may be used while the store is away. */
  readonly #lastsThroughOutage: boolean;
  readonly #ports: SlicePorts;
  readonly #demand: Demand;
  readonly #returns: SliceReturns;
  #slices: Slice[] = [];
  #states: readonly LimitState[] | undefined;
  #refilling: Promise<void> | undefined;
  #givingBack: Promise<void> | undefined;
  #holdOffUntilMs = Number.NEGATIVE_INFINITY;
  #isStoreAway = false;

  constructor(tenantId: string, settings: SliceSettings, lastsThroughOutage: boolean, ports: SlicePorts) {
    this.#tenantId = tenantId;
    this.#settings = settings;
    this.#lastsThroughOutage = lastsThroughOutage;
    this.#ports = ports;
    this.#demand = new Demand(settings.windowMs);
    this.#returns = new SliceReturns(settings.leaseMs, ports);
  }

  get holdsNothing(): boolean {
    return this.#slices.length === 0 && this.#returns.isEmpty && this.#refilling === undefined;
  }

  /** The slice that a request was admitted from; `undefined` where the store is to decide. */
  async admit({ id, hold, limits }: ReservationRequest): Promise<Slice | undefined> {
    const nowMs = this.#ports.elapsedMs();
    this.#demand.add(hold, nowMs);
    for (let refills = 0; ; refills++) {
      const slice = this.#admit(id, hold);
      if (slice !== undefined) {
        if (this.#isStoreAway || this.#wantsMore(slice)) void this.#refill(limits);
        return slice;
      }
      if (refills === mostRefills || this.#isStoreAway || !this.#mayAsk()) return undefined;
      await this.#refill(limits);
    }
  }

  /** Lets the store decide. Where it refuses for want of what lies unused here, that is given back, and it is asked again. */
  async decide(request: ReservationRequest): Promise<ReserveOutcome> {
    const outcome = await this.#decide(request);
    if (outcome.admitted || !this.#couldFit(outcome)) return outcome;
    this.#givingBack ??= this.#giveBack().finally(() => (this.#givingBack = undefined));
    await this.#givingBack;
    return this.#decide(request);
  }

  #couldFit({ binding, asked, neverFits }: Extract<ReserveOutcome, { admitted: false }>): boolean {
    if (neverFits || this.#givingBack !== undefined) return !neverFits;
    const { unit } = binding.limit.setting;
    const left = this.#lying(unit);
    return left > 0 && binding.remaining + left >= asked;
  }

  /** What may still be admitted from slices. */
  #lying(unit: LimitUnit): number {
    return this.#slices.reduce((sum, slice) => sum + Math.max(0, slice.left(unit)), 0);
  }

  async #decide(request: ReservationRequest): Promise<ReserveOutcome> {
    try {
      const outcome = await this.#ports.exact.reserve(request);
      this.#reached(outcome.states);
      return outcome;
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#missed();
      throw error;
    }
  }

  /** Gives back what is over. */
  async tend(): Promise<void> {
    const nowMs = this.#ports.elapsedMs();
    const due = this.#slices.find(({ times }) => nowMs >= times.admitsUntilMs);
    if (due !== undefined && this.#lastsThroughOutage) await this.#reach(due);
    await this.#return((slice) => nowMs >= this.#untilMs(slice));
  }

  /** Gives everything back that no request holds. */
  async close(): Promise<void> {
    await this.#refilling;
    await this.#giveBack();
  }

  async #giveBack(): Promise<void> {
    // Those that are on their way already first, or the others would be left for a next time that does not come.
    await this.#returns.run();
    await this.#return(() => true);
  }

  #return(isOver: (slice: Slice) => boolean): Promise<void> {
    for (const slice of this.#slices.filter(isOver)) this.#returns.add(slice);
    this.#slices = this.#slices.filter((slice) => !isOver(slice));
    return this.#returns.run();
  }

  /** What is nearly used up goes back for it: in a bucket, use that the store was told of leaks. */
  #take(slice: Slice): void {
    void this.#return((one) => one.hasLessThan(spentParts));
    this.#slices.push(slice);
  }

  #admit(id: string, hold: Amounts): Slice | undefined {
    if (this.#isStoreAway && !this.#lastsThroughOutage) return undefined;
    const nowMs = this.#ports.elapsedMs();
    return this.#slices.find((slice) => nowMs < this.#untilMs(slice) && slice.admit(id, hold));
  }

  /** While it is not known whether another can be had, a slice that may last through an outage is not given back. */
  #untilMs({ times }: Slice): number {
    const keeps = this.#lastsThroughOutage && (this.#isStoreAway || this.#refilling !== undefined);
    return keeps ? times.lastsUntilMs : times.admitsUntilMs;
  }

  /** Finds out whether the store is there: a slice that it was told to take back, and did not answer for, admits no more. */
  async #reach(slice: Slice): Promise<void> {
    if (this.#ports.elapsedMs() < this.#holdOffUntilMs) return;
    try {
      await this.#ports.exact.renew(this.#tenantId, [slice.id], this.#settings.leaseMs);
      this.#isStoreAway = false;
    } catch {
      this.#missed();
    }
  }

  /** Ahead of need: the last slice is half used, or half its time is over. */
  #wantsMore(slice: Slice): boolean {
    if (slice !== this.#slices.at(-1)) return false;
    return slice.hasLessThan(2) || this.#ports.elapsedMs() > slice.times.admitsUntilMs - this.#settings.windowMs / 2;
  }

  #mayAsk(): boolean {
    const nowMs = this.#ports.elapsedMs();
    return nowMs >= this.#holdOffUntilMs && this.#demand.requests(nowMs) >= this.#settings.leastRequests;
  }

  #refill(limits: readonly AppliedLimit[]): Promise<void> {
    if (this.#refilling !== undefined) return this.#refilling;
    if (!this.#mayAsk()) return Promise.resolve();
    const asking = this.#ask(limits).finally(() => (this.#refilling = undefined));
    this.#refilling = asking;
    return asking;
  }

  async #ask(limits: readonly AppliedLimit[]): Promise<void> {
    const { exact, elapsedMs, newId, log } = this.#ports;
    const sentAtMs = elapsedMs();
    const expected = this.#demand.expected(fewestRequests, sentAtMs);
    // How much there is to take from is not known before the store was asked once.
    const hold = expected && this.#states && sliceSize(expected, this.#states, (unit) => this.#lying(unit));
    if (hold === undefined) {
      this.#holdOffUntilMs = this.#states === undefined ? sentAtMs : sentAtMs + holdOffMs;
      return;
    }
    const id = newId();
    const { leaseMs } = this.#settings;
    try {
      const outcome = await exact.reserve({
        id,
        tenantId: this.#tenantId,
        limits,
        hold,
        leaseMs,
        intent: noIntent,
        slice: true,
      });
      this.#reached(outcome.states);
      if (outcome.admitted) this.#take(this.#sliceOf(id, hold, outcome.states, sentAtMs));
      else this.#holdOffUntilMs = elapsedMs() + holdOffMs;
    } catch (error) {
      // It may be held nevertheless.
      this.#returns.owe({ id, tenantId: this.#tenantId, charge: amountsOf(0, 0, 0, 0) });
      this.#missed();
      log.warn("no slice of the limits could be had", { tenant: this.#tenantId, error: String(error) });
    }
  }

  /**
   * A slice ends with the first of its calendar periods: what is admitted after that belongs to the next. A limit on which
   * nothing is used or held, not even by the slice, is asked nothing of by any request that is admitted from it.
   */
  #sliceOf(id: string, hold: Amounts, states: readonly LimitState[], sentAtMs: number): Slice {
    const counted = states.filter(({ limit, resetMs }) => limit.periods.length > 0 && resetMs > 0);
    const periodsLeft = counted.map(({ resetMs }) => resetMs);
    const { windowMs, leaseMs } = this.#settings;
    const times = {
      admitsUntilMs: sentAtMs + Math.min(windowMs, ...periodsLeft),
      lastsUntilMs: sentAtMs + Math.min(leaseMs * leaseUsed, ...periodsLeft),
    };
    return new Slice(this.#tenantId, id, hold, times, states, sentAtMs);
  }

  #reached(states: readonly LimitState[]): void {
    this.#states = states;
    this.#isStoreAway = false;
  }

  #missed(): void {
    this.#isStoreAway = true;
    this.#holdOffUntilMs = this.#ports.elapsedMs() + holdOffMs;
  }
}
