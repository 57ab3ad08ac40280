import type { MeteredUsage } from "./usage.ts";

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
function completionUsage(usage: Json): MeteredUsage {
  const input = asObject(usage["prompt_tokens_details"]);
  const inputTokens = count(usage["prompt_tokens"]);
  const reasoningTokens = count(asObject(usage["completion_tokens_details"])?.["reasoning_tokens"]);
  return {
    inputTokens,
    cachedInputTokens: count(input?.["cached_tokens"]) ?? count(usage["prompt_cache_hit_tokens"]),
    cacheWriteTokens: count(input?.["cache_write_tokens"]),
    outputTokens: wholeOutput(count(usage["completion_tokens"]), reasoningTokens, inputTokens, count(usage["total_tokens"])),
    reasoningTokens,
    ...known({
      audioInputTokens: count(input?.["audio_tokens"]),
      imageInputTokens: count(input?.["image_tokens"]),
      audioOutputTokens: count(asObject(usage["completion_tokens_details"])?.["audio_tokens"]),
    }),
  };
}

/** Some servers (xAI) count reasoning beside `completion_tokens` instead of in it, which only their total shows. */
function wholeOutput(output: number | undefined, reasoning = 0, input = 0, total = 0): number | undefined {
  return output !== undefined && reasoning > 0 && total === input + output + reasoning ? output + reasoning : output;
}

/** The Responses API: `input_tokens` with everything in it, and details. */
function responsesUsage(usage: Json): MeteredUsage {
  const input = asObject(usage["input_tokens_details"]);
  return {
    inputTokens: count(usage["input_tokens"]),
    cachedInputTokens: count(input?.["cached_tokens"]),
    cacheWriteTokens: count(input?.["cache_write_tokens"]),
    outputTokens: count(usage["output_tokens"]),
    reasoningTokens: count(asObject(usage["output_tokens_details"])?.["reasoning_tokens"]),
    ...known({
      audioInputTokens: count(input?.["audio_tokens"]),
      imageInputTokens: count(input?.["image_tokens"]),
      audioOutputTokens: count(asObject(usage["output_tokens_details"])?.["audio_tokens"]),
    }),
  };
}

/** Most answers have none of these: they leave no members behind. */
function known(parts: Partial<MeteredUsage>): Partial<MeteredUsage> {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}

/**
 * Anthropic: `input_tokens` leaves out what was read from or written to the cache, so the parts are added up. Where one
 * request was several runs of a model (compaction, fallback), the top level counts only some of them and `iterations`
 * lists all that are billed.
 */
export function messagesUsage(usage: Json): MeteredUsage {
  const runs = Array.isArray(usage["iterations"]) ? usage["iterations"].map(asObject).filter((run) => run !== undefined) : [];
  const sum = (member: string): number | undefined => {
    const whole = count(usage[member]);
    if (whole === undefined || runs.length === 0) return whole;
    return Math.max(
      whole,
      runs.reduce((total, run) => total + (count(run[member]) ?? 0), 0),
    );
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
    ...known({
      cacheWriteLongTokens: count(asObject(usage["cache_creation"])?.["ephemeral_1h_input_tokens"]),
      serviceTier: asText(usage["service_tier"]),
    }),
  };
}

/**
 * Usage in whichever of the three shapes it comes; told apart by its own members, not by who is asked. `serviceTier` is
 * what stands beside it in OpenAI's answers; Anthropic's say it in the usage.
 */
export function readUsage(value: unknown, serviceTier?: unknown): MeteredUsage | undefined {
  const usage = asObject(value);
  if (usage === undefined) return undefined;
  const tier = known({ serviceTier: asText(serviceTier) });
  if ("prompt_tokens" in usage || "completion_tokens" in usage) return { ...completionUsage(usage), ...tier };
  if ("input_tokens_details" in usage || "total_tokens" in usage) return { ...responsesUsage(usage), ...tier };
  return messagesUsage(usage);
}

/** What a later report leaves out stands as the earlier one had it. */
export function mergeUsage(earlier: MeteredUsage, later: MeteredUsage): MeteredUsage {
  return { ...earlier, ...known(later) };
}
