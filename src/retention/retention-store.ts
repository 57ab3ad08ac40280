import type { RetainedRecords } from "./retained-records.ts";

/** What stores share of retention. */
export interface RetentionStore {
  readonly records: readonly RetainedRecords[];
  /** Takes the turn to delete what is due by schedule; true for one process alone, and for none within `everyMs` after it. */
  takeTurn(everyMs: number): Promise<boolean>;
}
