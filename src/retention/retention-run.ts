import type { RecordKind } from "../region/policy.ts";

/** What was deleted of one kind by one class, or would be. */
export interface RetentionCount {
  readonly kind: RecordKind;
  readonly className: string;
  readonly beforeMs: number;
  readonly deleted: number;
  /** Due, and kept because their tenant is under a legal hold or not known. */
  readonly held: number;
  /** Of those deleted, milliseconds since the epoch; `undefined` where none was. */
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
}

/** Records of a kind that could not be gone over to their end. */
export interface RetentionFailure {
  readonly kind: RecordKind;
  /** Whose they are, where each tenant's lie apart. */
  readonly tenantId?: string | undefined;
  /** What was thrown, for the log. */
  readonly error: string;
}

/** What a run came to: also where it failed, what had been deleted until then. Plain data, so that it can be kept and handed on. */
export interface RetentionRun {
  readonly counts: readonly RetentionCount[];
  /** The first of them: some hundred, and of each kind one at the least. */
  readonly failures: readonly RetentionFailure[];
}

export const nothingDone: RetentionRun = { counts: [], failures: [] };

const mostFailures = 100;

/** What two parts of a run came to together. */
export function joinRuns(one: RetentionRun, other: RetentionRun): RetentionRun {
  const counts = new Map<string, RetentionCount>();
  for (const count of [...one.counts, ...other.counts]) {
    const name = `${count.kind} ${count.className}`;
    const known = counts.get(name);
    counts.set(name, known === undefined ? count : joinCounts(known, count));
  }
  const failures = [...one.failures];
  for (const failure of other.failures) {
    if (failures.length < mostFailures || failures.every(({ kind }) => kind !== failure.kind)) failures.push(failure);
  }
  return { counts: [...counts.values()], failures };
}

function joinCounts(one: RetentionCount, other: RetentionCount): RetentionCount {
  return {
    ...one,
    deleted: one.deleted + other.deleted,
    held: one.held + other.held,
    oldestMs: oldest([one.oldestMs, other.oldestMs]),
    newestMs: newest([one.newestMs, other.newestMs]),
  };
}

/** `undefined` of none. */
export function oldest(instants: readonly (number | undefined)[]): number | undefined {
  return instants.reduce((least, one) => (least === undefined || (one !== undefined && one < least) ? one : least), undefined);
}

export function newest(instants: readonly (number | undefined)[]): number | undefined {
  return instants.reduce((most, one) => (most === undefined || (one !== undefined && one > most) ? one : most), undefined);
}
