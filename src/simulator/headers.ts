import type { CapacityLeft } from "./capacity.ts";
import type { RegionProfile } from "./profile.ts";

export interface AnswerFacts {
  readonly region: RegionProfile;
  readonly requestId: string;
  readonly contentType: string;
  /** Absent where no deployment was reached: errors before that carry no capacity. */
  readonly deployment: string | undefined;
  readonly capacity: CapacityLeft | undefined;
  readonly processingMs: number;
  readonly nowMs: number;
  /** The place that the front end claims; a fault may make it another. */
  readonly placeName: string;
  /** Responses on Azure name the model that served. */
  readonly servedModel: string | undefined;
}

/** The headers with which a real upstream of this wire answers, and the one that says it is none. */
export function answerHeaders(facts: AnswerFacts): string[] {
  const headers = ["content-type", facts.contentType, "x-strait-simulated", facts.region.id];
  switch (facts.region.wire) {
    case "azure":
      addAzure(headers, facts);
      break;
    case "openai":
      addOpenAI(headers, facts);
      break;
    case "anthropic":
      addAnthropic(headers, facts);
      break;
  }
  return headers;
}

function addAzure(headers: string[], { requestId, placeName, deployment, servedModel, capacity }: AnswerFacts): void {
  headers.push("x-request-id", requestId, "apim-request-id", requestId, "x-ms-region", placeName);
  if (deployment === undefined || capacity === undefined) return;
  headers.push("x-ms-deployment-name", deployment, "azureml-model-session", "d000-simulated");
  if (servedModel !== undefined) headers.push("x-ms-served-model", servedModel);
  const resetSeconds = String(Math.ceil(capacity.resetMs / 1000));
  addLimits(headers, capacity, resetSeconds);
}

function addOpenAI(headers: string[], { requestId, processingMs, capacity }: AnswerFacts): void {
  headers.push("x-request-id", requestId, "openai-processing-ms", String(processingMs), "openai-version", "2020-10-01");
  if (capacity !== undefined) addLimits(headers, capacity, goDuration(capacity.resetMs));
}

function addLimits(headers: string[], capacity: CapacityLeft, reset: string): void {
  headers.push(
    "x-ratelimit-limit-requests",
    String(capacity.requestsPerMinute),
    "x-ratelimit-limit-tokens",
    String(capacity.tokensPerMinute),
    "x-ratelimit-remaining-requests",
    String(capacity.requests),
    "x-ratelimit-remaining-tokens",
    String(capacity.tokens),
    "x-ratelimit-reset-requests",
    reset,
    "x-ratelimit-reset-tokens",
    reset,
  );
}

function addAnthropic(headers: string[], { requestId, capacity, nowMs }: AnswerFacts): void {
  headers.push("request-id", requestId);
  if (capacity === undefined) return;
  const reset = new Date(nowMs + capacity.resetMs).toISOString();
  const limits = [
    ["requests", capacity.requestsPerMinute, capacity.requests],
    ["tokens", capacity.tokensPerMinute, capacity.tokens],
  ] as const;
  for (const [name, limit, remaining] of limits) {
    headers.push(
      `anthropic-ratelimit-${name}-limit`,
      String(limit),
      `anthropic-ratelimit-${name}-remaining`,
      String(remaining),
      `anthropic-ratelimit-${name}-reset`,
      reset,
    );
  }
}

/** As Go prints a duration under an hour: `547ms`, `59.8s`, `1m0s`. */
function goDuration(durationMs: number): string {
  if (durationMs < 1000) return `${durationMs}ms`;
  if (durationMs < 60_000) return `${durationMs / 1000}s`;
  return `${Math.floor(durationMs / 60_000)}m${(durationMs % 60_000) / 1000}s`;
}
