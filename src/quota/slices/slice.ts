import { amountOf } from "../counter.ts";
import { amountsOf, type Amounts } from "../limit.ts";
import type { LimitState, Settlement } from "../store.ts";
import type { LimitUnit } from "../../tenant/limit-setting.ts";
import { Tally } from "./tally.ts";

export interface SliceTimes {
  /** Until when it admits, and until when it may where the store is away; by a clock that never goes back. */
  readonly admitsUntilMs: number;
  readonly lastsUntilMs: number;
}

/**
 * A slice of a tenant's limits, held in the store as one reservation, from which requests are admitted here. On its way
 * back, when it admits nothing more, the store is told in parts what was used, and holds on only what is still open.
 *
 * Requests count as used once they are admitted, as they do in the store.
 */
export class Slice {
  readonly size: Amounts;
  readonly times: SliceTimes;
  readonly tenantId: string;
  /** The reservation in the store. */
  id: string;
  /** Since when the store has counted the lease anew. */
  renewedAtMs: number;
  /** What the store is being told, until it has answered: told again it must be the same. */
  telling: Settlement | undefined;
  readonly #states: readonly LimitState[];
  readonly #grantedAtMs: number;
  readonly #open = new Map<string, Amounts>();
  readonly #held = new Tally();
  readonly #used = new Tally();
  /** How many were open when the store was told last; more than can be before that. */
  #openWhenTold = Number.POSITIVE_INFINITY;

  /** `states` are the limits as they stood once the slice was taken from them. */
  constructor(
    tenantId: string,
    id: string,
    size: Amounts,
    times: SliceTimes,
    states: readonly LimitState[],
    grantedAtMs: number,
  ) {
    this.tenantId = tenantId;
    this.id = id;
    this.size = size;
    this.times = times;
    this.renewedAtMs = grantedAtMs;
    this.#states = states;
    this.#grantedAtMs = grantedAtMs;
  }

  /** Takes a request's hold, or says that it does not fit. What asks nothing of a limit is not refused by it. */
  admit(id: string, hold: Amounts): boolean {
    if (this.#open.has(id)) return false;
    const fits = this.#states.every(({ limit: { setting } }) => {
      const asked = amountOf(setting.unit, hold);
      return asked === 0 || asked <= this.left(setting.unit);
    });
    if (!fits) return false;
    const { requests, inputTokens, outputTokens, microUsd } = hold;
    this.#used.add({ ...amountsOf(requests, 0, 0, 0), concurrent: 0 });
    const held = amountsOf(0, inputTokens, outputTokens, microUsd);
    this.#open.set(id, held);
    this.#held.add(held);
    return true;
  }

  /** Replaces what a request held by what it used. */
  settle(id: string, charge: Amounts): void {
    const held = this.#open.get(id);
    if (held === undefined) return;
    this.#open.delete(id);
    this.#held.take(held);
    this.#used.add({ ...amountsOf(0, charge.inputTokens, charge.outputTokens, charge.microUsd), concurrent: 0 });
  }

  /** What may still be admitted. Means nothing once the store was told a part. */
  left(unit: LimitUnit): number {
    return amountOf(unit, this.size) - this.#used.of(unit) - this.#held.of(unit);
  }

  /** Less than one part in so many of it is left of any limit. */
  hasLessThan(parts: number): boolean {
    return this.#states.some(({ limit: { setting } }) => parts * this.left(setting.unit) < amountOf(setting.unit, this.size));
  }

  /** The limits as they stood, with what is left here: nobody knows what others used since. */
  states(nowMs: number): LimitState[] {
    return this.#states.map((state) => ({
      ...state,
      remaining: state.remaining + this.left(state.limit.setting.unit),
      resetMs: Math.max(0, state.resetMs - (nowMs - this.#grantedAtMs)),
    }));
  }

  /** Whether enough of it has ended since that the store should be told: half, so that a slice costs few calls. */
  get isWorthTelling(): boolean {
    return 2 * this.#open.size <= this.#openWhenTold;
  }

  get hasEnded(): boolean {
    return this.#open.size < this.#openWhenTold;
  }

  /** What to tell the store now: what was used, and what of it is still held, as a reservation `restId`. */
  tell(restId: string, leaseMs: number): Settlement {
    const charge = this.#used.amounts();
    this.#used.clear();
    this.#openWhenTold = this.#open.size;
    const told = { id: this.id, tenantId: this.tenantId, charge };
    if (this.#open.size === 0) return told;
    return { ...told, rest: { id: restId, hold: this.#held.amounts(), leaseMs } };
  }
}
