import type { RecordKind } from "../../../region/policy.ts";
import type { DeletionRule, RecordPage, RetainedRecord, RetainedRecords } from "../../../retention/retained-records.ts";

/** `RetainedRecords` on SQLite; `forget` belongs inside a transaction of the database's owner. */
export interface SqlRecords {
  readonly kind: RecordKind;
  page(from: string | undefined, beforeMs: number, most: number): RecordPage;
  forget(records: readonly RetainedRecord[], rule: DeletionRule): number;
}

export function recordsOn(
  records: SqlRecords,
  read: <Result>(work: () => Result) => Promise<Result>,
  transact: <Result>(work: () => Result) => Promise<Result>,
): RetainedRecords {
  return {
    kind: records.kind,
    page: (from, beforeMs, most) => read(() => records.page(from, beforeMs, most)),
    forget: (forgotten, rule) => transact(() => records.forget(forgotten, rule)),
  };
}

/** A page of rows, by their ids: the last one, unless the rows came to an end or to what is too young. */
export function pageOf(rows: readonly RetainedRecord[], beforeMs: number, most: number): RecordPage {
  const isLast = rows.length < most || rows.every(({ atMs }) => atMs >= beforeMs);
  return { records: rows.filter(({ atMs }) => atMs < beforeMs), next: isLast ? undefined : rows.at(-1)?.id };
}
