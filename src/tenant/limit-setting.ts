/** What a limit counts. All integers: no float ever enters a counter. */
export type LimitUnit = "requests" | "tokens" | "micro_usd" | "concurrent";

/**
 * `minute` is a token bucket that refills evenly; `day` and `month` follow the calendar (UTC); `open` is what is in
 * flight, and goes with `concurrent` alone.
 */
export type LimitWindow = "minute" | "day" | "month" | "open";

/** A ceiling as an operator sets it. */
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
   * Which requests share one counter. Without either: all of the tenant's. With `key` or `model`: that one's, and
   * with `each`: every key or model has a counter of its own.
   */
  readonly key: string | undefined;
  readonly model: string | undefined;
}

export const each = "each";
