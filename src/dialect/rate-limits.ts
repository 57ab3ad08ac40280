import type { HeaderList } from "../edge.ts";
import type { LimitUnit } from "../tenant/limit-setting.ts";
import type { RateState } from "./dialect.ts";
import { rateLimitFields } from "./rate-limit-fields.ts";

/** What a dialect's headers show of one unit: the limit that is nearest to stopping the client. */
export interface ShownLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
}

/**
 * Of the minute limits of one unit the one with least left; of equals, the one that takes longest to be whole again.
 * Day and month limits are not shown: a client that paces itself by these headers would stop for weeks. Nor are limits in
 * shadow mode, which stop nobody.
 */
export function tightest(states: readonly RateState[], unit: LimitUnit): ShownLimit | undefined {
  let found: RateState | undefined;
  for (const state of states) {
    const { setting } = state.limit;
    if (setting.unit !== unit || setting.window !== "minute" || setting.shadow === true) continue;
    if (
      found === undefined ||
      state.remaining < found.remaining ||
      (state.remaining === found.remaining && state.resetMs > found.resetMs)
    )
      found = state;
  }
  // A limit that was lowered leaves less than nothing, which no client expects to read.
  return (
    found && { limit: found.capacity, remaining: Math.max(0, Math.floor(found.remaining)), resetMs: Math.max(0, found.resetMs) }
  );
}

/** The `x-ratelimit-*` headers that OpenAI and Azure share, but for how a reset is written, and the IETF's. */
export function rateLimitHeaders(states: readonly RateState[], nowMs: number, reset: (resetMs: number) => string): HeaderList {
  const headers = [...rateLimitFields(states, nowMs)];
  for (const unit of ["requests", "tokens"] as const) {
    const shown = tightest(states, unit);
    if (shown === undefined) continue;
    headers.push(`x-ratelimit-limit-${unit}`, String(shown.limit));
    headers.push(`x-ratelimit-remaining-${unit}`, String(shown.remaining));
    headers.push(`x-ratelimit-reset-${unit}`, reset(shown.resetMs));
  }
  return headers;
}
