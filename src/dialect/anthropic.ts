import { describeRefusal } from "../describe-refusal.ts";
import type { Refusal } from "../refusal.ts";
import type { Dialect } from "./dialect.ts";
import { errorAnswer, serverSentEvent } from "./error-answer.ts";
import { rateLimitFields } from "./rate-limit-fields.ts";
import { tightest } from "./rate-limits.ts";

export const anthropic: Dialect = {
  name: "anthropic",
  requestIdHeader: "request-id",
  processingHeader: undefined,
  error(refusal, requestId) {
    const answer = describeRefusal(refusal);
    return errorAnswer(refusal, answer.anthropicStatus ?? answer.status, answer, errorBody(refusal, requestId));
  },
  errorEvent: (refusal, requestId) => serverSentEvent("error", errorBody(refusal, requestId)),
  keepAlive: new TextEncoder().encode('event: ping\ndata: {"type": "ping"}\n\n'),
  rateHeaders(states, nowMs) {
    const headers = [...rateLimitFields(states, nowMs)];
    for (const unit of ["requests", "tokens", "input_tokens", "output_tokens"] as const) {
      const shown = tightest(states, unit);
      if (shown === undefined) continue;
      const prefix = `anthropic-ratelimit-${unit.replace("_", "-")}`;
      headers.push(`${prefix}-limit`, String(shown.limit));
      headers.push(`${prefix}-remaining`, String(shown.remaining));
      headers.push(`${prefix}-reset`, rfc3339(nowMs + shown.resetMs));
    }
    return headers;
  },
};

function errorBody(refusal: Refusal, requestId: string): unknown {
  const { message, anthropic: named } = describeRefusal(refusal);
  return { type: "error", error: { type: named.type, message }, request_id: requestId };
}

/** Whole seconds, as Anthropic writes it; rounded up, for a client that comes back early is refused again. */
function rfc3339(atMs: number): string {
  return `${new Date(Math.ceil(atMs / 1_000) * 1_000).toISOString().slice(0, 19)}Z`;
}
