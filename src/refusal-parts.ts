import type { RefusalAnswer, RetryAdvice } from "./refusal.ts";

/** Clients honour `retry-after` only up to here (OpenAI), or sleep however long it says (Anthropic): beyond it, none is sent. */
export const longestRetryAfterMs = 60_000;

/** What a client wrote comes back to it in a sentence, never a megabyte of it. */
export const longestQuote = 120;

export function quoted(text: string): string {
  return JSON.stringify(text.length > longestQuote ? `${text.slice(0, longestQuote)}…` : text);
}

export const never: RetryAdvice = { retry: "never" };
export const asUsual: RetryAdvice = { retry: "as_usual" };

export function after(delayMs: number): RetryAdvice {
  return delayMs <= longestRetryAfterMs ? { retry: "after", delayMs: Math.max(1, Math.ceil(delayMs)) } : never;
}

/** What a refusal is told by, save for what most have in common. */
export type Parts = Omit<RefusalAnswer, "param" | "advice"> & { readonly param?: string; readonly advice?: RetryAdvice };
