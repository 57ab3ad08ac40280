import { asText, type Json } from "./read-usage.ts";

/** An upstream's own no, inside a stream whose status was 200. */
export interface StreamRefusal {
  readonly code: string;
  /** `request`: no other deployment would answer it. `capacity`: the upstream is full. `failure`: it is ill. */
  readonly blames: "request" | "capacity" | "failure";
  /** The upstream's error, as it came. */
  readonly error: Json;
}

const requestCodes: ReadonlySet<string> = new Set([
  "invalid_request_error",
  "invalid_prompt",
  "content_filter",
  "context_length_exceeded",
  "request_too_large",
]);

const capacityCodes: ReadonlySet<string> = new Set([
  "rate_limit_exceeded",
  "rate_limit_error",
  "insufficient_quota",
  "too_many_requests",
  "overloaded_error",
  "server_overloaded",
  "ratelimitreached",
  "429",
  "529",
]);

export function streamRefusal(error: Json): StreamRefusal {
  const code = asText(error["code"]) ?? asText(error["type"]) ?? "error";
  const known = code.toLowerCase();
  return { code, blames: requestCodes.has(known) ? "request" : capacityCodes.has(known) ? "capacity" : "failure", error };
}
