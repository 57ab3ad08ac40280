import type { RecordKind } from "../region/policy.ts";
import type { Directory } from "../tenant/directory.ts";
import type { DeletionRule, RetainedRecord, RetainedRecords } from "./retained-records.ts";
import { joinRuns, newest, nothingDone, oldest, type RetentionCount, type RetentionRun } from "./retention-run.ts";
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

/** How far a run has come; plain data, so that whoever takes it up later can go on from there. */
export interface RetentionPlace {
  /** Which of the ports' records. */
  readonly shelf: number;
  /** Of those, the page. */
  readonly from: string | undefined;
}

export interface RetentionStep {
  readonly run: RetentionRun;
  /** `undefined`: that was all. */
  readonly next: RetentionPlace | undefined;
}

/**
 * Deletes what is due, in small transactions with room between them, or only counts it. `terms` say what is due. Does not
 * reject: where records of one store cannot be read or deleted, those of the next are gone over all the same.
 */
export async function applyRetention(ports: RetentionPorts, terms: RetentionTerms, dryRun: boolean): Promise<RetentionRun> {
  let run = nothingDone;
  for (let at: RetentionPlace | undefined; ;) {
    const step = await applyToPage(ports, terms, dryRun, at);
    run = joinRuns(run, step.run);
    at = step.next;
    if (at === undefined) return run;
  }
}

/** The same for one page of records; without `at`, for the first. */
export async function applyToPage(
  ports: RetentionPorts,
  terms: RetentionTerms,
  dryRun: boolean,
  { shelf, from }: RetentionPlace = { shelf: 0, from: undefined },
): Promise<RetentionStep> {
  const records = ports.records[shelf];
  if (records === undefined) return { run: nothingDone, next: undefined };
  const nextShelf = shelf + 1 < ports.records.length ? { shelf: shelf + 1, from: undefined } : undefined;
  const own = terms.terms.filter(({ kind }) => kind === records.kind);
  if (own.length === 0) return { run: nothingDone, next: nextShelf };
  // Batch by batch, so that what was deleted is counted whatever happens to the next.
  let run = nothingDone;
  try {
    ports.stopping?.throwIfAborted();
    const page = await records.page(from, Math.max(...own.map(({ beforeMs }) => beforeMs)), batch);
    for (const [term, due] of dueIn(page.records, records.kind, own)) {
      const counts = [await forget(records, due, term, ports, terms, dryRun)];
      run = joinRuns(run, { counts, failures: [] });
    }
    return { run, next: page.next === undefined ? nextShelf : { shelf, from: page.next } };
  } catch (error) {
    const failures = [{ kind: records.kind, error: String(error) }];
    return { run: joinRuns(run, { counts: [], failures }), next: nextShelf };
  }
}

async function forget(
  records: RetainedRecords,
  due: readonly RetainedRecord[],
  { kind, className, beforeMs }: RetentionTerm,
  { directory, nowMs }: RetentionPorts,
  { policyVersion, policyDigest }: RetentionTerms,
  dryRun: boolean,
): Promise<RetentionCount> {
  const free = await withoutHeld(due, directory);
  const rule: DeletionRule = { className, beforeMs, policyVersion, policyDigest, atMs: nowMs() };
  const deleted = dryRun || free.length === 0 ? free.length : await records.forget(free, rule);
  const instants = deleted === 0 ? [] : free.map(({ atMs }) => atMs);
  const held = due.length - free.length;
  return { kind, className, beforeMs, deleted, held, oldestMs: oldest(instants), newestMs: newest(instants) };
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
