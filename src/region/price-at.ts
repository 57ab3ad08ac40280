import type { Deployment, Price } from "./catalogue.ts";

export type PriceSchedule = Pick<Deployment, "price" | "laterPrices">;

export interface PriceInForce {
  readonly price: Price;
  /** Milliseconds since the epoch; `undefined` for the price that a deployment began with. */
  readonly effectiveFromMs: number | undefined;
}

/**
 * The price in force at a moment. A request has the one of its admission, for its hold and for its settlement: a price
 * that changes while it runs, or later, touches neither.
 */
export function priceAt({ price, laterPrices = [] }: PriceSchedule, atMs: number): PriceInForce {
  let found: PriceInForce = { price, effectiveFromMs: undefined };
  for (const dated of laterPrices) if (dated.effectiveFromMs <= atMs) found = dated;
  return found;
}
