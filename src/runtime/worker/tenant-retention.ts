import type { Clock } from "../../clock.ts";
import { quarterMs } from "../../ledger/journal-reader.ts";
import { applyToPage, type RetentionPlace, type RetentionStep } from "../../retention/apply-retention.ts";
import { joinRuns, nothingDone } from "../../retention/retention-run.ts";
import type { RetainedRecords } from "../../retention/retained-records.ts";
import type { RetentionTerms } from "../../retention/retention-terms.ts";
import { MerkleHasher } from "../../transparency/merkle.ts";
import type { SqlDirectory } from "../sql/directory.ts";
import { SqlLoggedRecords } from "../sql/retention/sql-logged-records.ts";
import { keyUseRecords, usageRecords } from "../sql/retention/sql-plain-records.ts";
import { recordsOn, type SqlRecords } from "../sql/retention/sql-records.ts";
import { SqlTree } from "../sql/tree.ts";
import { SqlUsage } from "../sql/usage-slices.ts";
import type { HandOver } from "./hand-over.ts";
import { hashes } from "./hashes.ts";
import type { ObjectDatabase } from "./object-database.ts";
import type { QueryView } from "./query-view.ts";

/** A second of work at the most: the object answers nobody meanwhile, save between pages of receipts. */
const pagesPerStep = 10;

export interface TenantRetentionPorts {
  readonly database: ObjectDatabase;
  readonly directory: SqlDirectory;
  readonly handOver: HandOver;
  readonly view: Pick<QueryView, "forget" | "forgetSlices" | "take">;
  readonly clock: Pick<Clock, "nowMs">;
}

/**
 * Retention of what a tenant's object holds; its audit goes with the directory object's, which has all of it. The tenant's
 * entry lies beside the records, so that a legal hold counts for every transaction that comes after it.
 */
export class TenantRetention {
  readonly #ports: TenantRetentionPorts;

  constructor(ports: TenantRetentionPorts) {
    this.#ports = ports;
  }

  /** Deletes what is due of the tenant, or counts it: some pages, from `at` on, the beginning without it. */
  async step(tenantId: string, terms: RetentionTerms, dryRun: boolean, at?: RetentionPlace): Promise<RetentionStep> {
    const { database, directory, clock } = this.#ports;
    const find = (id: string): ReturnType<SqlDirectory["find"]> => database.read(undefined, () => directory.find(id));
    // Whose entry is not here has nothing here that may be deleted, and asking must not make its tables.
    if (find(tenantId) === undefined) return { run: nothingDone, next: undefined };
    const ports = { records: this.#records(tenantId), directory: { find }, nowMs: () => clock.nowMs() };
    let step: RetentionStep = { run: nothingDone, next: at };
    for (let pages = 0; pages < pagesPerStep; pages += 1) {
      const { run, next } = await applyToPage(ports, terms, dryRun, step.next);
      step = { run: joinRuns(step.run, run), next };
      if (next === undefined) break;
    }
    return step;
  }

  /** Deletes entries of the tenant's audit, by their ids. False where it is under a legal hold: they stay. */
  forgetAudit(tenantId: string, ids: readonly string[]): boolean {
    const { database } = this.#ports;
    if (database.read(undefined, () => this.#ports.directory.find(tenantId)) === undefined) return false;
    return database.transact(() => {
      if (this.#isHeld(tenantId)) return false;
      const sql = "DELETE FROM audit WHERE tenant_id = ? AND document->>'$.id' IN (SELECT value FROM json_each(?))";
      database.run(sql, tenantId, JSON.stringify(ids));
      return true;
    });
  }

  #records(tenantId: string): readonly RetainedRecords[] {
    const { database } = this.#ports;
    const tree = new SqlTree(database, new MerkleHasher(hashes.sha256Bytes));
    const usage = new SqlUsage(database);
    const all = (): number => Number.MAX_SAFE_INTEGER;
    const read = (): number => Math.min(usage.progress(), this.#ports.handOver.handedOver());
    return [
      this.#receipts(tenantId, this.#unlessHeld(tenantId, new SqlLoggedRecords(database, tree, "receipt", read))),
      this.#ofObject(this.#unlessHeld(tenantId, new SqlLoggedRecords(database, tree, "receipt_earlier", all))),
      this.#ofObject(this.#unlessHeld(tenantId, new SqlLoggedRecords(database, tree, "refusal", all))),
      this.#ofObject(this.#unlessHeld(tenantId, keyUseRecords(database))),
      this.#sums(tenantId, this.#unlessHeld(tenantId, usageRecords(database)), usage),
    ];
  }

  /** What nobody else has a copy of. */
  #ofObject(records: SqlRecords): RetainedRecords {
    const transact = async <Result>(work: () => Result): Promise<Result> => this.#ports.database.transact(work);
    return recordsOn(records, transact, transact);
  }

  /** Copies in the view go first, so that none is left of what was deleted here. */
  #receipts(tenantId: string, records: SqlRecords): RetainedRecords {
    const { handOver, view } = this.#ports;
    return {
      ...this.#ofObject(records),
      forget: (forgotten, rule) =>
        handOver.withdraw(
          forgotten.map(({ id }) => Number(id)),
          (requestIds) => view.forget(tenantId, requestIds),
          () => records.forget(forgotten, rule),
        ),
    };
  }

  #sums(tenantId: string, records: SqlRecords, usage: SqlUsage): RetainedRecords {
    const { database, view } = this.#ports;
    return {
      ...this.#ofObject(records),
      async forget(forgotten, rule) {
        const quarters = forgotten.map(({ atMs }) => atMs / quarterMs);
        await view.forgetSlices(tenantId, quarters);
        const deleted = database.transact(() => records.forget(forgotten, rule));
        // Where a hold was put on meanwhile.
        const kept = usage.slicesIn(tenantId, quarters);
        if (kept.length > 0) await view.take([], kept);
        return deleted;
      },
    };
  }

  #unlessHeld(tenantId: string, records: SqlRecords): SqlRecords {
    return {
      kind: records.kind,
      page: (from, beforeMs, most) => records.page(from, beforeMs, most),
      forget: (forgotten, rule) => (this.#isHeld(tenantId) ? 0 : records.forget(forgotten, rule)),
    };
  }

  #isHeld(tenantId: string): boolean {
    return this.#ports.directory.find(tenantId)?.tenant.legalHold !== undefined;
  }
}
