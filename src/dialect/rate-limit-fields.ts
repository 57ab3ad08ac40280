/**
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers, 11): the same in every dialect, and of every
 * limit on requests and on requests at once. No unit is registered for tokens or money, and a client that takes the
 * default unit for them would pace itself by a wrong count: those are in the dialects' own headers.
 */
import type { HeaderList } from "../edge.ts";
import { periodAt } from "../tenant/periods.ts";
import type { RateState } from "./dialect.ts";

/** The largest integer of a structured field (RFC 9651). */
const mostInteger = 999_999_999_999_999;

export function rateLimitFields(states: readonly RateState[], nowMs: number): HeaderList {
  const policies: string[] = [];
  const limits: string[] = [];
  for (const state of states) {
    const { name, unit, shadow } = state.limit.setting;
    if ((unit !== "requests" && unit !== "concurrent") || shadow === true) continue;
    const quotaUnit = unit === "concurrent" ? ';qu="concurrent-requests"' : "";
    const seconds = windowSeconds(state, nowMs);
    policies.push(`${quoted(name)};q=${integer(state.capacity)}${quotaUnit}${seconds === undefined ? "" : `;w=${seconds}`}`);
    limits.push(`${quoted(name)};r=${integer(state.remaining)};t=${integer(Math.ceil(state.resetMs / 1_000))}`);
  }
  return policies.length === 0 ? [] : ["ratelimit-policy", policies.join(","), "ratelimit", limits.join(",")];
}

/** A bucket's whole capacity comes back in as long as it takes to refill, which is a minute unless it has a burst. */
function windowSeconds({ limit, capacity }: RateState, nowMs: number): number | undefined {
  const { window, ceiling } = limit.setting;
  if (window === "open" || ceiling === 0) return undefined;
  if (window === "minute") return Math.min(mostInteger, Math.max(1, Math.ceil((capacity * 60) / ceiling)));
  const { startMs, endMs } = periodAt(limit.periods, nowMs);
  return Math.max(1, Math.round((endMs - startMs) / 1_000));
}

function integer(value: number): number {
  return Math.min(mostInteger, Math.max(0, Math.floor(value)));
}

/** A limit's name has no character that a structured field's string could not hold; a backslash or quote would break the field. */
function quoted(name: string): string {
  return `"${name.replaceAll(/[^ -~]|["\\]/g, "_")}"`;
}
