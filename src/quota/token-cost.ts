import type { Price } from "../region/catalogue.ts";
import { ceilDivide } from "./ceil-divide.ts";

/** Tokens by the price they have; no token is in two of them. */
export interface PricedTokens {
  readonly plainInput: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly output: number;
}

const million = 1_000_000;

/** What these tokens cost in micro-USD: exact, and rounded up once, at the end. */
export function tokenCostMicroUsd(tokens: PricedTokens, price: Price): number {
  // Whole and remaining micro-USD apart: tokens times price, in one piece, can pass what a number holds exactly.
  let whole = 0;
  let millionths = 0;
  const add = (count: number, perMillion: number): void => {
    const rest = perMillion % million;
    whole += count * ((perMillion - rest) / million);
    millionths += count * rest;
  };
  add(tokens.plainInput, price.inputMicroUsdPerMillion);
  add(tokens.cachedInput, price.cachedInputMicroUsdPerMillion);
  add(tokens.cacheWrite, price.cacheWriteMicroUsdPerMillion);
  add(tokens.output, price.outputMicroUsdPerMillion);
  return whole + ceilDivide(millionths, million);
}
