import type { Amounts } from "./limit.ts";

/** No float ever enters a counter, and nothing negative, which would create capacity. */
export function requireAmounts(amounts: Amounts): void {
  const { requests, tokens, inputTokens, outputTokens, microUsd, concurrent = 1 } = amounts;
  for (const amount of [requests, inputTokens, outputTokens, microUsd, concurrent]) {
    if (!Number.isSafeInteger(amount) || amount < 0) throw new RangeError(`Amounts are non-negative integers; got ${amount}.`);
  }
  if (tokens !== inputTokens + outputTokens) throw new RangeError("Tokens are input and output together.");
}
