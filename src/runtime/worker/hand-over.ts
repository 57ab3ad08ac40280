import { beganAtMs } from "../../request-id.ts";
import type { Migration } from "../sql/database.ts";
import type { ObjectDatabase } from "./object-database.ts";

/**
 * `hand_over`, one row once there is something to hand over: of whom, and up to which row id it was done; `leaving`, as
 * JSON, the row ids of receipts whose copies are being taken back.
 */
export const handOverMigrations: readonly Migration[] = [
  ["CREATE TABLE hand_over (one INTEGER PRIMARY KEY CHECK (one = 1), tenant_id TEXT NOT NULL, sequence INTEGER NOT NULL)"],
  // All over again: sums go along with receipts from here on.
  ["ALTER TABLE hand_over ADD COLUMN leaving TEXT NOT NULL DEFAULT '[]'", "UPDATE hand_over SET sequence = 0"],
];

interface Progress {
  readonly name: string;
  readonly sequence: number;
}

const batch = 100;

/** Who receipts are handed over to. */
export interface HandOverTarget {
  /** Takes receipts over, each once; documents as the journal has them. */
  take(documents: readonly string[]): Promise<void>;
  /** From this time on whoever is named has something to hand over; `undefined`: nothing any more. */
  waits(name: string, sinceMs: number | undefined): Promise<void>;
}

/**
 * Hands receipts over, in order, and keeps told whether more are to come. Two stores share no transaction: what was handed
 * over may be handed over again, and is taken once.
 */
export class HandOver {
  readonly #database: ObjectDatabase;
  readonly #target: HandOverTarget;
  /** Whether receipts stay here once they were handed over. */
  readonly #keeps: boolean;
  /** Whether the view knows that this tenant is at work, or will before long. Forgotten with the object, and then told again. */
  #announced = false;
  /** What is at work between the two stores: one after the other, or a copy that comes late would outlive its receipt. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: ObjectDatabase, target: HandOverTarget, keeps: boolean) {
    this.#database = database;
    this.#target = target;
    this.#keeps = keeps;
  }

  /** Notes that whoever is named is at work. True where that has to be told: call `run` soon. */
  announce(name: string): boolean {
    if (this.#announced) return false;
    const sql = "INSERT INTO hand_over (one, tenant_id, sequence) VALUES (1, ?, 0) ON CONFLICT DO NOTHING";
    this.#database.transact(() => this.#database.run(sql, name));
    this.#announced = true;
    return true;
  }

  /** Hands over all there is. Resolves with whether there will be more, so that this is to be called again. */
  async run(): Promise<boolean> {
    await this.deliver();
    const progress = this.#progress();
    if (progress === undefined) return false;
    const sinceMs = this.#waitingSinceMs(progress.sequence);
    // Before the view is told: what begins meanwhile finds itself not announced, and is told of after this.
    this.#announced = sinceMs !== undefined;
    await this.#target.waits(progress.name, sinceMs);
    return sinceMs !== undefined;
  }

  /** Hands over all that was written before the call. */
  deliver(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#returnKept();
      for (;;) {
        const progress = this.#progress();
        const rows = progress === undefined ? [] : this.#next(progress.sequence);
        const last = rows.at(-1);
        if (last === undefined) return;
        await this.#target.take(rows.map(({ document }) => document));
        this.#database.transact(() => this.#done(last.sequence));
      }
    });
  }

  /** Up to which row receipts were handed over. */
  handedOver(): number {
    return this.#progress()?.sequence ?? 0;
  }

  /**
   * Has receipts deleted: their copies first, so that none outlives its receipt. What `forgetHere` keeps after all is handed
   * over again, now, or the next time where this fails in between. `forgetHere` runs in a transaction.
   */
  withdraw<Result>(
    sequences: readonly number[],
    forgetCopies: (requestIds: readonly string[]) => Promise<void>,
    forgetHere: () => Result,
  ): Promise<Result> {
    return this.#inTurn(async () => {
      await this.#returnKept();
      const requestIds = this.#database.transact(() => {
        this.#database.run("UPDATE hand_over SET leaving = ?", JSON.stringify(sequences));
        return this.#leaving().map(({ request_id: requestId }) => requestId);
      });
      await forgetCopies(requestIds);
      const result = this.#database.transact(forgetHere);
      await this.#returnKept();
      return result;
    });
  }

  async #returnKept(): Promise<void> {
    const isLeaving = "SELECT 1 FROM hand_over WHERE leaving <> '[]'";
    if (!this.#database.read(false, () => this.#database.all(isLeaving).length > 0)) return;
    const kept = this.#leaving();
    if (kept.length > 0) await this.#target.take(kept.map(({ document }) => document));
    this.#database.transact(() => this.#database.run("UPDATE hand_over SET leaving = '[]'"));
  }

  #leaving(): { readonly request_id: string; readonly document: string }[] {
    return this.#database.all(
      `SELECT request_id, document FROM receipt WHERE sequence IN (SELECT value FROM hand_over, json_each(leaving))`,
    );
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  #done(sequence: number): void {
    if (this.#keeps) {
      this.#database.run("UPDATE hand_over SET sequence = ?", sequence);
      return;
    }
    // What comes next is counted from the beginning again.
    this.#database.run("UPDATE hand_over SET sequence = 0");
    this.#database.run("DELETE FROM receipt WHERE sequence <= ?", sequence);
    this.#database.run("DELETE FROM receipt_earlier WHERE sequence <= ?", sequence);
  }

  #progress(): Progress | undefined {
    return this.#database.read(undefined, () => {
      const [row] = this.#database.all<{ tenant_id: string; sequence: number }>("SELECT tenant_id, sequence FROM hand_over");
      return row && { name: row.tenant_id, sequence: row.sequence };
    });
  }

  /** What was corrected before it was handed over goes first: the correction names it, and a log has both. */
  #next(after: number): { readonly sequence: number; readonly document: string }[] {
    return this.#database.all(
      `SELECT sequence, document FROM receipt WHERE sequence > ?1
       UNION ALL SELECT sequence, document FROM receipt_earlier WHERE sequence > ?1 ORDER BY sequence LIMIT ?2`,
      after,
      batch,
    );
  }

  /** When the oldest began of what is in flight, or in the journal and not handed over. */
  #waitingSinceMs(sequence: number): number | undefined {
    const [open] = this.#database.all<{ id: string | null }>("SELECT min(id) AS id FROM reservation WHERE state IN (0, 1)");
    const sql = "SELECT min(started_at_ms) AS since FROM receipt WHERE sequence > ?";
    const [written] = this.#database.all<{ since: number | null }>(sql, sequence);
    const heldMs = open?.id === null || open === undefined ? Number.POSITIVE_INFINITY : beganAtMs(open.id);
    const sinceMs = Math.min(heldMs, written?.since ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(sinceMs) ? sinceMs : undefined;
  }
}
