import type { RecordKind } from "../region/policy.ts";

export interface RetainedRecord {
  /** As its store knows it. */
  readonly id: string;
  /** `*` for what is about no tenant alone. */
  readonly tenantId: string;
  /** Milliseconds since the epoch: from when its age is counted. */
  readonly atMs: number;
  /** Of a receipt: the id of the model that served. */
  readonly model: string | undefined;
}

export interface RecordPage {
  readonly records: readonly RetainedRecord[];
  /** Where the next page begins; `undefined`: there is none. */
  readonly next: string | undefined;
}

/** By which rule records are deleted; what the log says of them for ever. */
export interface DeletionRule {
  readonly className: string;
  readonly beforeMs: number;
  readonly policyVersion: string;
  readonly policyDigest: string;
  readonly atMs: number;
}

/** Records of one kind in one store, as retention goes over them. */
export interface RetainedRecords {
  readonly kind: RecordKind;
  /**
   * The next records older than `beforeMs`, at most `most`, from `from` on, the beginning without it. Only those that may be
   * deleted at all: nothing unsettled, nothing that the tree has not taken in, nothing that has still to be summed up.
   */
  page(from: string | undefined, beforeMs: number, most: number): Promise<RecordPage>;
  /**
   * Deletes records, all or none. Where they are in a log, the same transaction puts into it which entries were deleted and
   * by which rule. Resolves with how many were still there.
   */
  forget(records: readonly RetainedRecord[], rule: DeletionRule): Promise<number>;
}
