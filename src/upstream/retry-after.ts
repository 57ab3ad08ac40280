import { headerValue, type HeaderList } from "../edge.ts";

/** What the upstream asks for in `retry-after-ms` or `retry-after` (seconds or an HTTP date); `undefined` where it asks nothing that can be read. */
export function retryAfterMs(headers: HeaderList, nowMs: number): number | undefined {
  const exact = Number(headerValue(headers, "retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(exact) && exact >= 0) return Math.ceil(exact);
  const value = headerValue(headers, "retry-after");
  if (value === undefined || value.trim() === "") return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return seconds >= 0 ? Math.ceil(seconds * 1_000) : undefined;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
