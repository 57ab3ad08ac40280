/**
 * Tokens as the upstream bills them. A count that the upstream did not report is `undefined`, never 0: an explicit
 * zero is a zero.
 */
export interface Usage {
  /** All input, cached and cache-write included. */
  readonly inputTokens: number | undefined;
  /** The part of the input read from the provider's cache. */
  readonly cachedInputTokens: number | undefined;
  /** The part of the input written to the provider's cache. */
  readonly cacheWriteTokens: number | undefined;
  /** All output, reasoning included. */
  readonly outputTokens: number | undefined;
  readonly reasoningTokens: number | undefined;
}

/** Usage with what only some answers have, and only some prices tell apart. */
export interface MeteredUsage extends Usage {
  /** The part of `cacheWriteTokens` that is kept for an hour. */
  readonly cacheWriteLongTokens?: number | undefined;
  /** Parts of the input. */
  readonly audioInputTokens?: number | undefined;
  readonly imageInputTokens?: number | undefined;
  /** The part of the output that is speech. */
  readonly audioOutputTokens?: number | undefined;
  /** The tier of service that the answer says it was given: `default`, `priority`, `flex`, `batch` … */
  readonly serviceTier?: string | undefined;
}

export const unknownUsage: Usage = {
  inputTokens: undefined,
  cachedInputTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: undefined,
  reasoningTokens: undefined,
};
