import type { Usage } from "../ledger/usage.ts";

/** A JSON object whose members are not yet trusted to have any type. */
export type Json = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

export function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A count of tokens; anything but a whole, non-negative number was not reported. */
function count(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** Chat completions, completions and embeddings: `prompt_tokens`, `completion_tokens`. */
function completionUsage(usage: Json): Usage {
  return {
    inputTokens: count(usage["prompt_tokens"]),
    cachedInputTokens: count(asObject(usage["prompt_tokens_details"])?.["cached_tokens"]),
    cacheWriteTokens: undefined,
    outputTokens: count(usage["completion_tokens"]),
    reasoningTokens: count(asObject(usage["completion_tokens_details"])?.["reasoning_tokens"]),
  };
}

/** The Responses API: `input_tokens` with everything in it, and details. */
function responsesUsage(usage: Json): Usage {
  return {
    inputTokens: count(usage["input_tokens"]),
    cachedInputTokens: count(asObject(usage["input_tokens_details"])?.["cached_tokens"]),
    cacheWriteTokens: undefined,
    outputTokens: count(usage["output_tokens"]),
    reasoningTokens: count(asObject(usage["output_tokens_details"])?.["reasoning_tokens"]),
  };
}

/** Anthropic: `input_tokens` leaves out what was read from or written to the cache, so the parts are added up. */
function messagesUsage(usage: Json): Usage {
  const fresh = count(usage["input_tokens"]);
  const cached = count(usage["cache_read_input_tokens"]);
  const written = count(usage["cache_creation_input_tokens"]);
  return {
    inputTokens: fresh === undefined ? undefined : fresh + (cached ?? 0) + (written ?? 0),
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    outputTokens: count(usage["output_tokens"]),
    reasoningTokens: undefined,
  };
}

/** Usage in whichever of the three shapes it comes; told apart by its own members, not by who is asked. */
export function readUsage(value: unknown): Usage | undefined {
  const usage = asObject(value);
  if (usage === undefined) return undefined;
  if ("prompt_tokens" in usage || "completion_tokens" in usage) return completionUsage(usage);
  if ("cache_read_input_tokens" in usage || "cache_creation_input_tokens" in usage) return messagesUsage(usage);
  return responsesUsage(usage);
}

/** What a later report leaves out stands as the earlier one had it: Anthropic's `message_delta` repeats only the output. */
export function mergeUsage(earlier: Usage, later: Usage): Usage {
  return {
    inputTokens: later.inputTokens ?? earlier.inputTokens,
    cachedInputTokens: later.cachedInputTokens ?? earlier.cachedInputTokens,
    cacheWriteTokens: later.cacheWriteTokens ?? earlier.cacheWriteTokens,
    outputTokens: later.outputTokens ?? earlier.outputTokens,
    reasoningTokens: later.reasoningTokens ?? earlier.reasoningTokens,
  };
}
