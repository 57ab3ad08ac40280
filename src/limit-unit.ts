/** What a limit counts. All integers: no float ever enters a counter. `tokens` is input and output together. */
export type LimitUnit = "requests" | "tokens" | "input_tokens" | "output_tokens" | "micro_usd" | "concurrent";

export const limitUnits: readonly LimitUnit[] = [
  "requests",
  "tokens",
  "input_tokens",
  "output_tokens",
  "micro_usd",
  "concurrent",
];

/**
 * `minute` is a token bucket that refills evenly; `day` and `month` follow the calendar in the tenant's time zone;
 * `open` is what is in flight, and goes with `concurrent` alone.
 */
export type LimitWindow = "minute" | "day" | "month" | "open";
