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

export const unknownUsage: Usage = {
  inputTokens: undefined,
  cachedInputTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: undefined,
  reasoningTokens: undefined,
};
