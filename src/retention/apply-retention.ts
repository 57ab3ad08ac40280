import type { RecordKind } from "../region/policy.ts";
import type { Directory } from "../tenant/directory.ts";
import type { DeletionRule, RetainedRecord, RetainedRecords } from "./retained-records.ts";
import { termOf, type RetentionTerm, type RetentionTerms } from "./retention-terms.ts";

/** Some milliseconds of work, for which every stream of the process waits. */
const batch = 200;

export interface RetentionPorts {
  readonly records: readonly RetainedRecords[];
  readonly directory: Pick<Directory, "find">;
  readonly nowMs: () => number;
  /** Once aborted, no further batch is begun: the rest counts as failed. */
  readonly stopping?: AbortSignal | undefined;
}

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

/** Records of a kind that could not be gone over to their end. Plain data, so that it can come from where the records are. */
export interface RetentionFailure {
  readonly kind: RecordKind;
  /** What was thrown, for the log. */
  readonly error: string;
}

/** What a run came to: also where it failed, what had been deleted until then. */
export interface RetentionRun {
  readonly counts: readonly RetentionCount[];
  readonly failures: readonly RetentionFailure[];
}

/**
 * Deletes what is due, in small transactions with room between them, or only counts it. `terms` say what is due. Does not
 * reject: where records of one store cannot be read or deleted, those of the next are gone over all the same.
 */
export async function applyRetention(ports: RetentionPorts, terms: RetentionTerms, dryRun: boolean): Promise<RetentionRun> {
  const counts = new Map<RetentionTerm, RetentionCount>();
  const failures: RetentionFailure[] = [];
  for (const shelf of ports.records) {
    try {
      await goOver(shelf, ports, terms, dryRun, counts);
    } catch (error) {
      failures.push({ kind: shelf.kind, error: String(error) });
    }
  }
  return { counts: [...counts.values()], failures };
}

/** Counts batch by batch, so that what was deleted is counted whatever happens to the next. */
async function goOver(
  shelf: RetainedRecords,
  { directory, nowMs, stopping }: RetentionPorts,
  { policyVersion, policyDigest, terms }: RetentionTerms,
  dryRun: boolean,
  counts: Map<RetentionTerm, RetentionCount>,
): Promise<void> {
  const own = terms.filter(({ kind }) => kind === shelf.kind);
  if (own.length === 0) return;
  const youngestMs = Math.max(...own.map(({ beforeMs }) => beforeMs));
  for (let from: string | undefined, more = true; more;) {
    stopping?.throwIfAborted();
    const page = await shelf.page(from, youngestMs, batch);
    for (const [term, due] of dueIn(page.records, shelf.kind, own)) {
      const free = await withoutHeld(due, directory);
      const { className, beforeMs } = term;
      const rule: DeletionRule = { className, beforeMs, policyVersion, policyDigest, atMs: nowMs() };
      const deleted = dryRun || free.length === 0 ? free.length : await shelf.forget(free, rule);
      counts.set(term, counted(counts.get(term) ?? nothingOf(term), deleted, free, due.length - free.length));
    }
    from = page.next;
    more = from !== undefined;
  }
}

function dueIn(
  records: readonly RetainedRecord[],
  kind: RecordKind,
  terms: readonly RetentionTerm[],
): Map<RetentionTerm, RetainedRecord[]> {
  const due = new Map<RetentionTerm, RetainedRecord[]>();
  for (const record of records) {
    const term = termOf(terms, kind, record.model);
    if (term === undefined || record.atMs >= term.beforeMs) continue;
    const others = due.get(term);
    if (others === undefined) due.set(term, [record]);
    else others.push(record);
  }
  return due;
}

/** Asked anew for every batch: a hold that is put on meanwhile counts. A tenant that nobody knows may be under one. */
async function withoutHeld(
  records: readonly RetainedRecord[],
  directory: RetentionPorts["directory"],
): Promise<readonly RetainedRecord[]> {
  const isFree = new Map<string, boolean>([["*", true]]);
  for (const { tenantId } of records) {
    if (isFree.has(tenantId)) continue;
    const entry = await directory.find(tenantId);
    isFree.set(tenantId, entry !== undefined && entry.tenant.legalHold === undefined);
  }
  return records.filter(({ tenantId }) => isFree.get(tenantId));
}

function nothingOf({ kind, className, beforeMs }: RetentionTerm): RetentionCount {
  return { kind, className, beforeMs, deleted: 0, held: 0, oldestMs: undefined, newestMs: undefined };
}

function counted(count: RetentionCount, deleted: number, free: readonly RetainedRecord[], held: number): RetentionCount {
  const kept = { ...count, held: count.held + held };
  if (deleted === 0) return kept;
  const instants = free.map(({ atMs }) => atMs);
  return {
    ...kept,
    deleted: count.deleted + deleted,
    oldestMs: least([...instants, ...(count.oldestMs === undefined ? [] : [count.oldestMs])]),
    newestMs: greatest([...instants, ...(count.newestMs === undefined ? [] : [count.newestMs])]),
  };
}

function least(instants: readonly number[]): number | undefined {
  return instants.length === 0 ? undefined : Math.min(...instants);
}

function greatest(instants: readonly number[]): number | undefined {
  return instants.length === 0 ? undefined : Math.max(...instants);
}
