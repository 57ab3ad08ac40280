import { describeRefusal } from "../describe-refusal.ts";
import type { Refusal } from "../refusal.ts";
import type { Dialect } from "./dialect.ts";
import { errorAnswer, serverSentEvent } from "./error-answer.ts";
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
    const headers: string[] = [];
    for (const unit of ["requests", "tokens"] as const) {
      const shown = tightest(states, unit);
      if (shown === undefined) continue;
      headers.push(`anthropic-ratelimit-${unit}-limit`, String(shown.limit));
      headers.push(`anthropic-ratelimit-${unit}-remaining`, String(shown.remaining));
      headers.push(`anthropic-ratelimit-${unit}-reset`, rfc3339(nowMs + shown.resetMs));
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
