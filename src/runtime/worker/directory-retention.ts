import type { Clock, Entropy } from "../../clock.ts";
import { logFailures, retentionAudit, type RetentionOrder } from "../../control/retention.ts";
import type { Log } from "../../log.ts";
import { applyToPage, type RetentionPlace } from "../../retention/apply-retention.ts";
import { joinRuns, nothingDone, type RetentionFailure, type RetentionRun } from "../../retention/retention-run.ts";
import type { RetainedRecord, RetainedRecords } from "../../retention/retained-records.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import type { Migration } from "../sql/database.ts";
import type { SqlDirectory } from "../sql/directory.ts";
import { auditRecords } from "../sql/retention/sql-plain-records.ts";
import type { Bindings } from "./environment.ts";
import type { ObjectDatabase } from "./object-database.ts";
import { tenantOf, type RemoteTenant } from "./object-stubs.ts";
import { reachAgain } from "./reach.ts";

/**
 * - `retention_run`: when what was due was last deleted by schedule, as in the ledger.
 * - `retention_job`: a run as JSON, `Job`; the one that is under way, and those that have just ended, for whoever ordered them.
 */
export const retentionMigrations: readonly Migration[] = [
  [
    "CREATE TABLE retention_run (one INTEGER PRIMARY KEY CHECK (one = 1), at_ms INTEGER NOT NULL)",
    "CREATE TABLE retention_job (id TEXT PRIMARY KEY, ended_at_ms INTEGER, document TEXT NOT NULL) WITHOUT ROWID",
  ],
];

/** Tenants' objects that are at it at the same time. */
const abreast = 8;
/** What one call may call in turn: a platform's bound is a thousand. */
const callsAtOnce = 400;
const keptMs = 3_600_000;

/** A run as it is kept between two rounds. */
interface Job {
  readonly order: RetentionOrder;
  /** Tenants up to this one were begun with; `undefined`: none. */
  readonly after: string | undefined;
  /** Those of them that are not at their end, and how far each is. */
  readonly pending: readonly { readonly tenantId: string; readonly at: RetentionPlace | undefined }[];
  /** How far the audit is, which comes last. */
  readonly audit: RetentionPlace | undefined;
  readonly run: RetentionRun;
}

export interface DirectoryRetentionPorts {
  readonly database: ObjectDatabase;
  readonly directory: SqlDirectory;
  readonly bindings: Pick<Bindings, "TENANTS">;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/**
 * Retention over all tenants: a run goes from tenant to tenant, some at the same time, and has each object delete what is
 * due of it, at last the audit here. How far it is lies in the object's SQLite after every round, so that it is gone on with
 * whatever ends in between; there is one at a time. A tenant that cannot be reached is said to have failed, and the others
 * are gone on with.
 */
export class DirectoryRetention {
  readonly #ports: DirectoryRetentionPorts;
  /** On the run that is under way: whoever goes on with it meanwhile waits for the same. */
  #working: Promise<RetentionRun | undefined> | undefined;
  #calls = 0;

  constructor(ports: DirectoryRetentionPorts) {
    this.#ports = ports;
  }

  /** Begins a run, unless one is under way: resolves with the id of that one, which is to be brought to its end first. */
  begin(id: string, order: RetentionOrder): string {
    const { database, clock } = this.#ports;
    return database.transact(() => {
      const underWay = this.underWay();
      if (underWay !== undefined) return underWay;
      database.run("DELETE FROM retention_job WHERE ended_at_ms < ?", clock.nowMs() - keptMs);
      const job: Job = { order, after: undefined, pending: [], audit: undefined, run: nothingDone };
      const sql = "INSERT INTO retention_job (id, document) VALUES (?, ?) ON CONFLICT DO NOTHING";
      database.run(sql, id, JSON.stringify(job));
      return id;
    });
  }

  underWay(): string | undefined {
    const sql = "SELECT id FROM retention_job WHERE ended_at_ms IS NULL";
    return this.#ports.database.read(undefined, () => this.#ports.database.all<{ id: string }>(sql)[0]?.id);
  }

  /** Goes on with a run for a while. Resolves with what it came to once it has ended, with `undefined` before. */
  async goOn(id: string): Promise<RetentionRun | undefined> {
    if (id !== this.underWay()) return this.#job(id).run;
    this.#working ??= this.#work(id).finally(() => (this.#working = undefined));
    return this.#working;
  }

  async #work(id: string): Promise<RetentionRun | undefined> {
    for (this.#calls = 0; this.#calls < callsAtOnce; this.#calls += 1) {
      await this.#round(id, this.#job(id));
      if (id !== this.underWay()) return this.#job(id).run;
    }
    return undefined;
  }

  #job(id: string): Job {
    const { database } = this.#ports;
    const [row] = database.read([], () =>
      database.all<{ document: string }>("SELECT document FROM retention_job WHERE id = ?", id),
    );
    if (row === undefined) throw new RangeError(`no run of retention is known as ${id}`);
    return JSON.parse(row.document) as Job;
  }

  async #round(id: string, job: Job): Promise<void> {
    const begun = this.#ports.directory.list(job.after, abreast - job.pending.length).map(({ tenant }) => tenant.id);
    const pending = [...job.pending, ...begun.map((tenantId) => ({ tenantId, at: undefined }))];
    if (pending.length === 0) return this.#auditRound(id, job);
    const steps = await Promise.all(pending.map(({ tenantId, at }) => this.#stepOf(tenantId, job.order, at)));
    this.#keep(id, {
      ...job,
      after: begun.at(-1) ?? job.after,
      pending: pending.flatMap(({ tenantId }, index) => {
        const at = steps[index]?.next;
        return at === undefined ? [] : [{ tenantId, at }];
      }),
      run: steps.reduce((run, step) => joinRuns(run, step.run), job.run),
    });
  }

  async #stepOf(
    tenantId: string,
    { terms, dryRun }: RetentionOrder,
    at: RetentionPlace | undefined,
  ): ReturnType<typeof applyToPage> {
    try {
      const { run, next } = await this.#call(tenantId, (tenant) => tenant.applyRetention(tenantId, terms, dryRun, at));
      return { run: { ...run, failures: run.failures.map((failure) => ({ ...failure, tenantId })) }, next };
    } catch (error) {
      const kinds = new Set(terms.terms.map(({ kind }) => kind).filter((kind) => kind !== "audit"));
      const failures = [...kinds].map((kind) => ({ kind, tenantId, error: String(error) }));
      return { run: { counts: [], failures }, next: undefined };
    }
  }

  /** Every entry is here, and a tenant's in its object as well: those go first, where no hold is against it. */
  async #auditRound(id: string, job: Job): Promise<void> {
    const { clock } = this.#ports;
    const failures: RetentionFailure[] = [];
    const failed = (tenantId: string, error: unknown): void => {
      failures.push({ kind: "audit", tenantId, error: String(error) });
    };
    const find = async (tenantId: string): Promise<DirectoryEntry | undefined> => {
      try {
        return await this.#call(tenantId, (tenant) => tenant.find(tenantId));
      } catch (error) {
        failed(tenantId, error);
        return undefined;
      }
    };
    const ports = { records: [this.#audit(failed)], directory: { find }, nowMs: () => clock.nowMs() };
    const { run, next } = await applyToPage(ports, job.order.terms, job.order.dryRun, job.audit);
    const whole = joinRuns(joinRuns(job.run, run), { counts: [], failures });
    this.#keep(id, { ...job, audit: next, run: whole }, next === undefined);
  }

  #audit(failed: (tenantId: string, error: unknown) => void): RetainedRecords {
    const { database } = this.#ports;
    const own = auditRecords(database);
    return {
      kind: "audit",
      page: async (from, beforeMs, most) => own.page(from, beforeMs, most),
      forget: async (records, rule) => {
        const free: RetainedRecord[] = [];
        for (const [tenantId, entries] of Map.groupBy(records, (record) => record.tenantId)) {
          try {
            const ids = this.#auditIds(entries);
            if (tenantId === "*" || (await this.#call(tenantId, (tenant) => tenant.forgetAudit(tenantId, ids))))
              free.push(...entries);
          } catch (error) {
            failed(tenantId, error);
          }
        }
        return database.transact(() => own.forget(free, rule));
      },
    };
  }

  #auditIds(entries: readonly RetainedRecord[]): readonly string[] {
    const sql = "SELECT document->>'$.id' AS id FROM audit WHERE sequence IN (SELECT value FROM json_each(?))";
    const rows = this.#ports.database.all<{ id: string }>(sql, JSON.stringify(entries.map(({ id }) => Number(id))));
    return rows.map(({ id }) => id);
  }

  /** With its end comes what the audit says of it. */
  #keep(id: string, job: Job, isOver = false): void {
    const { database, directory, clock, log } = this.#ports;
    database.transact(() => {
      const endedAtMs = isOver ? clock.nowMs() : null;
      const sql = "UPDATE retention_job SET document = ?, ended_at_ms = ? WHERE id = ?";
      database.run(sql, JSON.stringify(job), endedAtMs, id);
      const audit = isOver ? retentionAudit(this.#ports, job.order, job.run) : undefined;
      if (audit !== undefined) directory.note(audit);
    });
    if (isOver) logFailures(log, job.run);
  }

  #call<Result>(tenantId: string, call: (tenant: RemoteTenant) => Promise<Result>): Promise<Result> {
    this.#calls += 1;
    return reachAgain(() => call(tenantOf(this.#ports.bindings, tenantId)));
  }
}
