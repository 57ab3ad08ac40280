import type { Usage } from "./usage.ts";

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
  const input = asObject(usage["prompt_tokens_details"]);
  const inputTokens = count(usage["prompt_tokens"]);
  const reasoningTokens = count(asObject(usage["completion_tokens_details"])?.["reasoning_tokens"]);
  return {
    inputTokens,
    cachedInputTokens: count(input?.["cached_tokens"]) ?? count(usage["prompt_cache_hit_tokens"]),
    cacheWriteTokens: count(input?.["cache_write_tokens"]),
    outputTokens: wholeOutput(count(usage["completion_tokens"]), reasoningTokens, inputTokens, count(usage["total_tokens"])),
    reasoningTokens,
  };
}

/** Some servers (xAI) count reasoning beside `completion_tokens` instead of in it, which only their total shows. */
function wholeOutput(output: number | undefined, reasoning = 0, input = 0, total = 0): number | undefined {
  return output !== undefined && reasoning > 0 && total === input + output + reasoning ? output + reasoning : output;
}

/** The Responses API: `input_tokens` with everything in it, and details. */
function responsesUsage(usage: Json): Usage {
  const input = asObject(usage["input_tokens_details"]);
  return {
    inputTokens: count(usage["input_tokens"]),
    cachedInputTokens: count(input?.["cached_tokens"]),
    cacheWriteTokens: count(input?.["cache_write_tokens"]),
    outputTokens: count(usage["output_tokens"]),
    reasoningTokens: count(asObject(usage["output_tokens_details"])?.["reasoning_tokens"]),
  };
}

/**
 * Anthropic: `input_tokens` leaves out what was read from or written to the cache, so the parts are added up. Where one
 * request was several runs of a model (compaction, fallback), the top level counts only some of them and `iterations`
 * lists all that are billed.
 */
export function messagesUsage(usage: Json): Usage {
  const runs = Array.isArray(usage["iterations"]) ? usage["iterations"].map(asObject).filter((run) => run !== undefined) : [];
  const sum = (member: string): number | undefined => {
    const whole = count(usage[member]);
    if (whole === undefined || runs.length === 0) return whole;
    return Math.max(whole, runs.reduce((total, run) => total + (count(run[member]) ?? 0), 0));
  };
  const fresh = sum("input_tokens");
  const cached = sum("cache_read_input_tokens");
  const written = sum("cache_creation_input_tokens");
  return {
    inputTokens: fresh === undefined ? undefined : fresh + (cached ?? 0) + (written ?? 0),
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    outputTokens: sum("output_tokens"),
    reasoningTokens: count(asObject(usage["output_tokens_details"])?.["thinking_tokens"]),
  };
}

/** Usage in whichever of the three shapes it comes; told apart by its own members, not by who is asked. */
export function readUsage(value: unknown): Usage | undefined {
  const usage = asObject(value);
  if (usage === undefined) return undefined;
  if ("prompt_tokens" in usage || "completion_tokens" in usage) return completionUsage(usage);
  if ("input_tokens_details" in usage || "total_tokens" in usage) return responsesUsage(usage);
  return messagesUsage(usage);
}

/** What a later report leaves out stands as the earlier one had it. */
export function mergeUsage(earlier: Usage, later: Usage): Usage {
  return {
    inputTokens: later.inputTokens ?? earlier.inputTokens,
    cachedInputTokens: later.cachedInputTokens ?? earlier.cachedInputTokens,
    cacheWriteTokens: later.cacheWriteTokens ?? earlier.cacheWriteTokens,
    outputTokens: later.outputTokens ?? earlier.outputTokens,
    reasoningTokens: later.reasoningTokens ?? earlier.reasoningTokens,
  };
}
