import { amountOf, type Verdict } from "./counter.ts";
import type { Amounts } from "./limit.ts";
import type { LimitState, ReserveOutcome } from "./store.ts";

/** From here on a limit is reported as nearly used up, so that somebody hears of it before a client is refused. */
export const nearPercent = 80;

const leftShare = 100 / (100 - nearPercent);

/** What a store found for one limit of a request, before anything was placed. */
export interface Judged {
  readonly state: LimitState;
  readonly asked: number;
  readonly verdict: Verdict;
}

/** The outcome of what was placed; `states` are those after it. */
export function admitted(states: readonly LimitState[], hold: Amounts): ReserveOutcome {
  // After placing, less than nothing is left exactly where it did not fit.
  const shadowed = states.filter((state) => isShadow(state) && state.remaining < 0 && asks(state, hold) > 0);
  return { admitted: true, states, shadowed, near: states.filter(isNear) };
}

/** The refusal that these verdicts come to; `undefined` where all fits and everything is to be placed. */
export function refused(judged: readonly Judged[]): ReserveOutcome | undefined {
  const binding = bindingOf(judged);
  if (binding === undefined) return undefined;
  const states = judged.map(({ state }) => state);
  const shadowed = judged.filter(({ state, verdict }) => isShadow(state) && !verdict.fits).map(({ state }) => state);
  const { neverFits, retryAfterMs } = binding.verdict;
  return {
    admitted: false,
    binding: binding.state,
    asked: binding.asked,
    retryAfterMs,
    neverFits,
    states,
    shadowed,
    near: states.filter(isNear),
  };
}

/** What can never fit binds before what takes longest, since waiting does not help it. */
function bindingOf(judged: readonly Judged[]): Judged | undefined {
  let binding: Judged | undefined;
  for (const one of judged) {
    if (one.verdict.fits || isShadow(one.state)) continue;
    if (one.verdict.neverFits) return one;
    if (binding === undefined || one.verdict.retryAfterMs > binding.verdict.retryAfterMs) binding = one;
  }
  return binding;
}

/** Compares what is left: to multiply what is used could pass what a number holds exactly. */
export function isNear({ capacity, remaining }: LimitState): boolean {
  return capacity > 0 && remaining <= Math.floor(capacity / leftShare);
}

function isShadow({ limit }: LimitState): boolean {
  return limit.setting.shadow === true;
}

function asks({ limit }: LimitState, hold: Amounts): number {
  return amountOf(limit.setting.unit, hold);
}
