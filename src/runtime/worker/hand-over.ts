import { beganAtMs } from "../../request-id.ts";
import type { Migration } from "../sql/database.ts";
import type { ObjectDatabase } from "./object-database.ts";
import type { QueryView } from "./query-view.ts";

/** `hand_over`, one row once there is something to hand over: of whom, and up to which row id it was done. */
export const handOverMigrations: readonly Migration[] = [
  ["CREATE TABLE hand_over (one INTEGER PRIMARY KEY CHECK (one = 1), tenant_id TEXT NOT NULL, sequence INTEGER NOT NULL)"],
];

interface Progress {
  readonly tenantId: string;
  readonly sequence: number;
}

const batch = 100;

/**
 * Hands a tenant's receipts over to the query view, in order, and keeps that told whether more are to come. Two stores
 * share no transaction: what was handed over may be handed over again, and is taken once.
 */
export class HandOver {
  readonly #database: ObjectDatabase;
  readonly #view: QueryView;
  /** Whether the view knows that this tenant is at work, or will before long. Forgotten with the object, and then told again. */
  #announced = false;

  constructor(database: ObjectDatabase, view: QueryView) {
    this.#database = database;
    this.#view = view;
  }

  /** Notes that this tenant is at work. True where the view has to be told: call `run` soon. */
  announce(tenantId: string): boolean {
    if (this.#announced) return false;
    const sql = "INSERT INTO hand_over (one, tenant_id, sequence) VALUES (1, ?, 0) ON CONFLICT DO NOTHING";
    this.#database.transact(() => this.#database.run(sql, tenantId));
    this.#announced = true;
    return true;
  }

  /** Hands over all there is. Resolves with whether there will be more, so that this is to be called again. */
  async run(): Promise<boolean> {
    const progress = this.#progress();
    if (progress === undefined) return false;
    let { sequence } = progress;
    for (;;) {
      const rows = this.#next(sequence);
      const last = rows.at(-1);
      if (last === undefined) break;
      await this.#view.take(rows.map(({ document }) => document));
      this.#database.transact(() => this.#database.run("UPDATE hand_over SET sequence = ?", last.sequence));
      sequence = last.sequence;
    }
    const sinceMs = this.#waitingSinceMs(sequence);
    // Before the view is told: what begins meanwhile finds itself not announced, and is told of after this.
    this.#announced = sinceMs !== undefined;
    await this.#view.waits(progress.tenantId, sinceMs);
    return sinceMs !== undefined;
  }

  #progress(): Progress | undefined {
    return this.#database.read(undefined, () => {
      const [row] = this.#database.all<{ tenant_id: string; sequence: number }>("SELECT tenant_id, sequence FROM hand_over");
      return row && { tenantId: row.tenant_id, sequence: row.sequence };
    });
  }

  #next(after: number): { readonly sequence: number; readonly document: string }[] {
    return this.#database.all(
      "SELECT sequence, document FROM receipt WHERE sequence > ? ORDER BY sequence LIMIT ?",
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
