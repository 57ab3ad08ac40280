import { each, type LimitSetting } from "../tenant/limit-setting.ts";
import { periodsAround, utc, type Period } from "../tenant/periods.ts";

/** A setting that applies to one request, with the counter that it is counted on. */
export interface AppliedLimit {
  readonly setting: LimitSetting;
  /** Unique within the tenant; the setting's name and what the counter is kept apart by. */
  readonly counter: string;
  /**
   * `day` and `month`: the periods around now, in order and without gaps, of which the store picks one by its own clock.
   * Empty for the other windows.
   */
  readonly periods: readonly Period[];
}

/** What a request is held or charged for. */
export interface Amounts {
  readonly requests: number;
  /** Always the sum of the two below. */
  readonly tokens: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly microUsd: number;
  /** How many of the requests may be open at once; absent: one, from reserve to settle, whatever it is charged. */
  readonly concurrent?: number;
}

/** Whose request it is and for what: all that a limit may be kept apart by. */
export interface LimitSubject {
  readonly keyId: string;
  readonly model: string;
  readonly tier: string;
  /** The end user's hash, as `endUserHash` makes it; `undefined` where the request names none. */
  readonly endUser: string | undefined;
  /** The tenant's; `undefined` is UTC. */
  readonly timeZone: string | undefined;
}

export function amountsOf(requests: number, inputTokens: number, outputTokens: number, microUsd: number): Amounts {
  return { requests, tokens: inputTokens + outputTokens, inputTokens, outputTokens, microUsd };
}

/** The limits of a tenant that one request falls under. */
export function appliedLimits(settings: readonly LimitSetting[], subject: LimitSubject, nowMs: number): AppliedLimit[] {
  const applied: AppliedLimit[] = [];
  for (const setting of settings) {
    if (!isMeant(setting.key, subject.keyId) || !isMeant(setting.model, subject.model)) continue;
    if (!isMeant(setting.tier, subject.tier) || !isMeant(setting.endUser, subject.endUser)) continue;
    applied.push({ setting, counter: counterName(setting, subject), periods: periodsOf(setting, subject.timeZone, nowMs) });
  }
  return applied;
}

function isMeant(wanted: string | undefined, actual: string | undefined): boolean {
  return wanted === undefined || wanted === each || wanted === actual;
}

function counterName(setting: LimitSetting, { keyId, model, tier, endUser }: LimitSubject): string {
  const key = setting.key === undefined ? "" : `|key=${keyId}`;
  const ofModel = setting.model === undefined ? "" : `|model=${model}`;
  const ofTier = setting.tier === undefined ? "" : `|tier=${tier}`;
  const ofEndUser = setting.endUser === undefined ? "" : `${endUserMark}${endUser ?? ""}`;
  return `${setting.name}${key}${ofModel}${ofTier}${ofEndUser}`;
}

const noPeriods: readonly Period[] = Object.freeze([]);

export function periodsOf({ window }: LimitSetting, timeZone: string | undefined, nowMs: number): readonly Period[] {
  return window === "day" || window === "month" ? periodsAround(window, timeZone ?? utc, nowMs) : noPeriods;
}

const endUserMark = "|user=";

/**
 * Whether a scope is one of a kind that has no end: end users, and people who come with tokens of the tenant's own issuer.
 * Their counters are dropped once they are back to nothing, or a store would grow with everybody who ever asked.
 */
export function isPassing(scope: string): boolean {
  return scope.includes(endUserMark) || scope.includes("|key=oidc:");
}
