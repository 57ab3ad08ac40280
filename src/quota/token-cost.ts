import type { Rates } from "../region/catalogue.ts";
import { ceilDivide } from "./ceil-divide.ts";

/** Tokens by the rate they have; no token is in two of them. */
export interface PricedTokens {
  readonly plainInput: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly cacheWriteLong: number;
  readonly audioInput: number;
  readonly imageInput: number;
  /** Text that the client is given. */
  readonly output: number;
  readonly reasoning: number;
  readonly audioOutput: number;
}

export const noTokens: PricedTokens = {
  plainInput: 0,
  cachedInput: 0,
  cacheWrite: 0,
  cacheWriteLong: 0,
  audioInput: 0,
  imageInput: 0,
  output: 0,
  reasoning: 0,
  audioOutput: 0,
};

const million = 1_000_000;

/** What these tokens cost in micro-USD: exact, and rounded up once, at the end. */
export function tokenCostMicroUsd(tokens: PricedTokens, rates: Rates): number {
  // Whole and remaining micro-USD apart: tokens times rate, in one piece, can pass what a number holds exactly.
  let whole = 0;
  let millionths = 0;
  const add = (count: number, perMillion: number): void => {
    if (count === 0) return;
    const rest = perMillion % million;
    whole += count * ((perMillion - rest) / million);
    millionths += count * rest;
  };
  const input = rates.inputMicroUsdPerMillion;
  const output = rates.outputMicroUsdPerMillion;
  add(tokens.plainInput, input);
  add(tokens.cachedInput, rates.cachedInputMicroUsdPerMillion);
  add(tokens.cacheWrite, rates.cacheWriteMicroUsdPerMillion);
  add(tokens.cacheWriteLong, rates.cacheWriteLongMicroUsdPerMillion ?? rates.cacheWriteMicroUsdPerMillion);
  add(tokens.audioInput, rates.audioInputMicroUsdPerMillion ?? input);
  add(tokens.imageInput, rates.imageInputMicroUsdPerMillion ?? input);
  add(tokens.output, output);
  add(tokens.reasoning, rates.reasoningMicroUsdPerMillion ?? output);
  add(tokens.audioOutput, rates.audioOutputMicroUsdPerMillion ?? output);
  return whole + ceilDivide(millionths, million);
}
