/**
 * The arithmetic of one counter, the same in every store. Integers only, no branch on anything but the values given,
 * so that it can be written again word for word inside a store that runs functions of its own.
 *
 * | window | `used` | `held` | `mark` |
 * |---|---|---|---|
 * | `minute` | in 60,000ths of a unit; leaks `rate` of them a millisecond | units | the latest time seen, ms since the epoch |
 * | `day`, `month` | units used in the period | units held in the period | the label of the latest period seen |
 * | `open` | 0 | units in flight | 0 |
 *
 * What must hold, and why the code is as it is:
 * - Admission keeps `ceil(used) + held` at or below the capacity, and settling moves a hold into at most as much use.
 * - Open holds do not leak. A hold that drained and was then handed back would count the same capacity twice.
 * - `mark` never goes back: a clock that does makes a counter wait, and creates no capacity.
 * - A changed ceiling judges what is used from now on: time that passed before leaked at the ceiling of that time.
 * - `requests` are charged when they are admitted and never handed back: asking is what they count. A slice is for requests
 *   that are still to come, so it holds them as it holds all else.
 * - Whoever asks nothing of a limit is not refused by it, even where it is overrun.
 */
import { ceilDivide } from "./ceil-divide.ts";
import type { Amounts, AppliedLimit } from "./limit.ts";
import { periodAt, type Period } from "../tenant/periods.ts";
import type { LimitSetting, LimitUnit, LimitWindow } from "../tenant/limit-setting.ts";

/** Changed in place: a hot counter is touched for every request. */
export interface CounterState {
  used: number;
  held: number;
  mark: number;
  /** `minute`: the ceiling in force since `mark`. */
  rate: number;
  /** `day`, `month`: when the period of `mark` ends, in ms since the epoch. */
  endsMs: number;
}

/** What one reservation holds on one counter: enough to settle it after the limit was changed or removed. */
export interface PlacedHold {
  readonly unit: LimitUnit;
  readonly window: LimitWindow;
  readonly amount: number;
  /** The period it was admitted in, where the window has periods. */
  readonly mark: number;
}

export interface Standing {
  readonly capacity: number;
  readonly remaining: number;
  readonly resetMs: number;
}

export interface Verdict {
  readonly fits: boolean;
  readonly neverFits: boolean;
  readonly retryAfterMs: number;
}

/** The scale of a bucket's `used`: a minute's milliseconds, so that a leak of `ceiling` a minute is an integer each millisecond. */
export const bucketScale = 60_000;

/** What is told where only time without bound would help: a bucket that never refills. */
export const longestWaitMs: number = 366 * 86_400_000;

/** Open holds come back when their requests end, which nobody knows: ask again after this. */
export const holdsRetryMs = 1_000;

const fitting: Verdict = { fits: true, neverFits: false, retryAfterMs: 0 };

export function freshCounter(): CounterState {
  return { used: 0, held: 0, mark: 0, rate: 0, endsMs: 0 };
}

/** What a counter is kept apart by: a key, a model, a tier, an end user, several of them, or nothing. Counters of one scope are mostly decided together. */
export function scopeOf(limit: AppliedLimit): string {
  return limit.counter.slice(limit.setting.name.length);
}

/** Names a counter within its tenant and scope. A limit that comes to count something else, under the same name, starts anew. */
export function counterKey(setting: LimitSetting): string {
  return `${setting.unit}/${setting.window}/${setting.name}`;
}

/** The window of a counter, by its key. */
export function windowOf(counterKey: string): LimitWindow {
  return counterKey.split("/", 2)[1] as LimitWindow;
}

/** How much of `amounts` a limit of this unit counts. */
export function amountOf(unit: LimitUnit, amounts: Amounts): number {
  switch (unit) {
    case "requests":
      return amounts.requests;
    case "tokens":
      return amounts.tokens;
    case "input_tokens":
      return amounts.inputTokens;
    case "output_tokens":
      return amounts.outputTokens;
    case "micro_usd":
      return amounts.microUsd;
    case "concurrent":
      return amounts.concurrent ?? 1;
  }
}

export function capacityOf(setting: LimitSetting): number {
  return setting.window === "minute" ? (setting.burst ?? setting.ceiling) : setting.ceiling;
}

/** Brings a counter to `nowMs`. Has no effect beyond the passing of time: doing it or leaving it decides nothing. */
export function advance(state: CounterState, window: LimitWindow, periods: readonly Period[], nowMs: number): void {
  if (window === "open") return;
  if (window === "minute") return leak(state, nowMs);
  const { label, endMs } = periodAt(periods, nowMs);
  if (label < state.mark) return;
  if (label > state.mark) {
    state.used = 0;
    state.held = 0;
    state.mark = label;
  }
  state.endsMs = endMs;
}

function leak(state: CounterState, nowMs: number): void {
  if (nowMs <= state.mark) return;
  // Where the product is too large to be exact it is certainly larger than what there is to leak.
  state.used = Math.max(0, state.used - (nowMs - state.mark) * state.rate);
  state.mark = nowMs;
}

/**
 * When this counter is as good as new if nothing more is placed on it; `undefined` while something is held. What is used
 * on a bucket that never refills stays for the longest wait there is.
 */
export function idleAtMs(state: CounterState, window: LimitWindow): number | undefined {
  if (state.held > 0) return undefined;
  if (window === "minute") {
    if (state.used === 0) return state.mark;
    return state.mark + (state.rate === 0 ? longestWaitMs : Math.min(longestWaitMs, ceilDivide(state.used, state.rate)));
  }
  return window === "open" ? 0 : state.endsMs;
}

/** Whether `asked` fits now, and else when. The counter has been advanced to `nowMs`. */
export function judge(state: CounterState, setting: LimitSetting, asked: number, nowMs: number): Verdict {
  if (asked === 0) return fitting;
  const capacity = capacityOf(setting);
  if (asked > capacity) return { fits: false, neverFits: true, retryAfterMs: 0 };
  if (usedUnits(state, setting.window) + state.held + asked <= capacity) return fitting;
  return { fits: false, neverFits: false, retryAfterMs: retryAfterMs(state, setting, capacity - asked, nowMs) };
}

function retryAfterMs(state: CounterState, setting: LimitSetting, room: number, nowMs: number): number {
  if (setting.window === "open") return holdsRetryMs;
  if (setting.window === "minute") {
    const leftover = room - state.held;
    if (leftover >= 0) return leakMs(state, setting, state.used - leftover * bucketScale, nowMs);
    return Math.max(holdsRetryMs, leakMs(state, setting, state.used - room * bucketScale, nowMs));
  }
  const periodLeftMs = Math.max(1, state.endsMs - nowMs);
  return state.used <= room ? Math.min(holdsRetryMs, periodLeftMs) : periodLeftMs;
}

/** How a limit stands, what is held counted as used. The counter has been advanced to `nowMs`. */
export function standing(state: CounterState, setting: LimitSetting, nowMs: number): Standing {
  const capacity = capacityOf(setting);
  const remaining = capacity - usedUnits(state, setting.window) - state.held;
  return { capacity, remaining, resetMs: resetMs(state, setting, nowMs) };
}

function resetMs(state: CounterState, setting: LimitSetting, nowMs: number): number {
  if (setting.window === "open") return state.held === 0 ? 0 : holdsRetryMs;
  if (setting.window === "minute") return leakMs(state, setting, state.used + state.held * bucketScale, nowMs);
  return state.used + state.held === 0 ? 0 : Math.max(1, state.endsMs - nowMs);
}

/** Milliseconds until a bucket has leaked `scaled`. */
function leakMs(state: CounterState, setting: LimitSetting, scaled: number, nowMs: number): number {
  if (scaled <= 0) return 0;
  if (setting.ceiling === 0) return longestWaitMs;
  return Math.min(longestWaitMs, ceilDivide(scaled, setting.ceiling) + Math.max(0, state.mark - nowMs));
}

function usedUnits(state: CounterState, window: LimitWindow): number {
  return window === "minute" ? ceilDivide(state.used, bucketScale) : state.used;
}

/** Takes what was admitted; returns the hold, `undefined` where it was charged at once and nothing is left to settle. */
export function place(state: CounterState, setting: LimitSetting, asked: number, isSlice: boolean): PlacedHold | undefined {
  const { unit, window } = setting;
  if (unit === "requests" && window !== "open" && !isSlice) {
    charge(state, window, asked);
    return undefined;
  }
  state.held += asked;
  return { unit, window, amount: asked, mark: window === "minute" ? 0 : state.mark };
}

/** Replaces a hold by what was used. A reservation whose lease ran out is settled so, with its own hold as the charge. */
export function settleHold(state: CounterState, hold: PlacedHold, used: number, nowMs: number): void {
  if (hold.window === "minute") leak(state, nowMs);
  // A hold of a period that is over left with it.
  else if (hold.mark !== state.mark) return;
  state.held = Math.max(0, state.held - hold.amount);
  if (hold.window !== "open") charge(state, hold.window, used);
}

/** After `settleHold`: holds `amount` on, for the period that the first hold was for. */
export function holdOn(state: CounterState, hold: PlacedHold, amount: number): PlacedHold {
  if (hold.window === "minute" || hold.mark === state.mark) state.held += amount;
  return { ...hold, amount };
}

/**
 * Corrects a hold that was charged in full when its lease ran out. A calendar window takes the difference back. A bucket
 * only ever takes more: how much of that charge has leaked since cannot be told from what others put there, and to hand
 * it back could count the same capacity twice.
 */
export function settleLate(state: CounterState, hold: PlacedHold, used: number, nowMs: number): void {
  if (hold.window === "open") return;
  if (hold.window === "minute") {
    leak(state, nowMs);
    charge(state, "minute", Math.max(0, used - hold.amount));
  } else if (hold.mark === state.mark) {
    state.used = Math.max(0, state.used - hold.amount);
    charge(state, hold.window, used);
  }
}

function charge(state: CounterState, window: LimitWindow, units: number): void {
  const added = window === "minute" ? units * bucketScale : units;
  // A charge beyond all reason must not push the counter where integers are no longer exact.
  state.used = Math.min(Number.MAX_SAFE_INTEGER, state.used + added);
}
