import { describeRefusal } from "../describe-refusal.ts";
import type { Dialect } from "./dialect.ts";
import { errorAnswer } from "./error-answer.ts";
import { openai, openaiErrorEvent } from "./openai.ts";
import { rateLimitHeaders } from "./rate-limits.ts";

export const azure: Dialect = {
  name: "azure",
  requestIdHeader: "x-request-id",
  processingHeader: "openai-processing-ms",
  error(refusal) {
    const answer = describeRefusal(refusal);
    // `code` and `message` are Azure's own; `type` and `param` stand in the errors that it passes on from the model's API.
    const error = { code: answer.azure.code, message: answer.message, type: answer.openai.type, param: answer.param };
    return errorAnswer(refusal, answer.status, answer, { error });
  },
  // In a stream Azure speaks as OpenAI does, through the same SDK.
  errorEvent: (refusal, _requestId, surface) => openaiErrorEvent(refusal, surface),
  keepAlive: openai.keepAlive,
  rateHeaders: (states, nowMs) => rateLimitHeaders(states, nowMs, (resetMs) => String(Math.ceil(resetMs / 1_000))),
};
