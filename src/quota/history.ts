import type { Period } from "../tenant/periods.ts";
import type { AppliedLimit } from "./limit.ts";

/** What was used of one counter by the day or month. */
export interface UsedCounter {
  readonly limit: AppliedLimit;
  /** The period that the sum is of: one of `limit.periods`. */
  readonly period: Period;
  /** In the limit's unit; a non-negative integer. */
  readonly used: number;
}

/** Where counters come from when a store lost them. */
export interface QuotaHistory {
  /**
   * All counters by the day and month that are not at zero, in the periods that `nowMs`, by the store's clock, lies in.
   * Requests in `except` are left out: the store has what they hold, and is still to be told what they used.
   */
  counters(tenantId: string, nowMs: number, except: ReadonlySet<string>): Promise<readonly UsedCounter[]>;
}
