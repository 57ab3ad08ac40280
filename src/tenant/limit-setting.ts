import type { LimitUnit, LimitWindow } from "../limit-unit.ts";

export { limitUnits } from "../limit-unit.ts";
export type { LimitUnit, LimitWindow } from "../limit-unit.ts";

/** A ceiling as an operator sets it. Members that came later are optional: directory entries written before lack them. */
export interface LimitSetting {
  /** The operator's name for it, unique within the tenant: `tokens-per-minute`. */
  readonly name: string;
  readonly unit: LimitUnit;
  readonly window: LimitWindow;
  /** The most that one window admits, in `unit`; a non-negative integer. */
  readonly ceiling: number;
  /** `minute` only: the bucket's capacity; `undefined`: one minute's worth. */
  readonly burst: number | undefined;
  /**
   * Which requests share one counter. Without any of these: all of the tenant's. With `key`, `model`, `tier` (of the
   * model) or `endUser`: that one's, and with `each`: every one has a counter of its own. They combine.
   */
  readonly key: string | undefined;
  readonly model: string | undefined;
  readonly tier?: string | undefined;
  /** `each`, or one end user's hash. Requests that name no end user share one counter: leaving the name out is no way around. */
  readonly endUser?: string | undefined;
  /** Counted and reported, and never refuses. */
  readonly shadow?: boolean | undefined;
  /** Replicas may hold a slice of it for a short time and admit from that by themselves, so that not every request asks the store. */
  readonly slices?: boolean | undefined;
  /** With `slices`: where the store is away, what is left of a slice may be used. Otherwise requests are then refused. */
  readonly onOutage?: "allow-local" | undefined;
}

export const each = "each";
