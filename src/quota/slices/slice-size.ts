import { amountOf } from "../counter.ts";
import { amountsOf, type Amounts } from "../limit.ts";
import type { LimitState } from "../store.ts";
import type { LimitUnit } from "../../tenant/limit-setting.ts";

/**
 * What lies in one gateway's slices is an eighth of what is left of a limit at the most. So it gets ever smaller as a limit
 * nears its end, and with it what is refused elsewhere while it lies there.
 */
const shareOfRemaining = 8;

/** A slice for fewer requests saves next to nothing over asking for each. */
export const fewestRequests = 8;

/**
 * How much of what is expected to take as a slice, given how the limits stand and how much lies in slices; `undefined`
 * where too little is left, so that every request is to be decided by the store.
 */
export function sliceSize(
  expected: Amounts,
  states: readonly LimitState[],
  lying: (unit: LimitUnit) => number,
): Amounts | undefined {
  const most = (unit: LimitUnit): number => {
    let least = amountOf(unit, expected);
    for (const { limit, remaining } of states) {
      if (limit.setting.unit !== unit || limit.setting.shadow === true) continue;
      least = Math.min(least, Math.floor(remaining / shareOfRemaining) - lying(unit));
    }
    return Math.max(0, least);
  };
  // All tokens together may be what is short, or only those of one kind.
  const tokens = most("tokens");
  const part = (unit: "input_tokens" | "output_tokens"): number => {
    const wanted = amountOf(unit, expected);
    return wanted === 0 ? 0 : Math.min(most(unit), Math.floor(wanted * (tokens / expected.tokens)));
  };
  const size: Amounts = {
    ...amountsOf(most("requests"), part("input_tokens"), part("output_tokens"), most("micro_usd")),
    concurrent: most("concurrent"),
  };
  const suffices = states.every(({ limit: { setting } }) => {
    const wanted = amountOf(setting.unit, expected);
    return wanted === 0 || amountOf(setting.unit, size) >= (wanted / expected.requests) * fewestRequests;
  });
  return suffices ? size : undefined;
}
