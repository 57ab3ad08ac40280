import { describeRefusal } from "../describe-refusal.ts";
import type { Refusal } from "../refusal.ts";
import type { Dialect } from "./dialect.ts";
import { errorAnswer, serverSentEvent } from "./error-answer.ts";
import { goDuration } from "./go-duration.ts";
import { rateLimitHeaders } from "./rate-limits.ts";

export const openai: Dialect = {
  name: "openai",
  requestIdHeader: "x-request-id",
  processingHeader: "openai-processing-ms",
  error(refusal) {
    const answer = describeRefusal(refusal);
    const { type, code } = answer.openai;
    return errorAnswer(refusal, answer.status, answer, { error: { message: answer.message, type, param: answer.param, code } });
  },
  errorEvent: (refusal, _requestId, surface) => openaiErrorEvent(refusal, surface),
  keepAlive: new TextEncoder().encode(": keep-alive\n\n"),
  rateHeaders: (states, nowMs) => rateLimitHeaders(states, nowMs, goDuration),
};

/**
 * An error in the middle of a stream. The SDKs raise a chunk with a top-level `error`, and after it expect nothing, not
 * even `[DONE]`. Streams of the Responses API carry typed events; their numbers are the upstream's, which we do not count.
 */
export function openaiErrorEvent(refusal: Refusal, surface: string): Uint8Array {
  const { message, param, openai: named } = describeRefusal(refusal);
  if (surface === "responses") {
    return serverSentEvent("error", { type: "error", code: named.code ?? named.type, message, param, sequence_number: 0 });
  }
  return serverSentEvent(undefined, { error: { message, type: named.type, param, code: named.code } });
}
