import type { SqlDatabase } from "../database.ts";

/** Takes the turn to delete what is due, at most once in `everyMs` over all processes; belongs inside a transaction of the owner's. */
export function takeRetentionTurn(database: SqlDatabase, nowMs: number, everyMs: number): boolean {
  const taken = database.all(
    `INSERT INTO retention_run (one, at_ms) VALUES (1, ?1)
     ON CONFLICT (one) DO UPDATE SET at_ms = excluded.at_ms WHERE retention_run.at_ms <= ?1 - ?2 RETURNING 1`,
    nowMs,
    everyMs,
  );
  return taken.length > 0;
}

/** Where the turn was never taken, it cannot be before `notBeforeMs`; in a transaction of the owner's. */
export function putOffFirstRetention(database: SqlDatabase, notBeforeMs: number, everyMs: number): void {
  const sql = "INSERT INTO retention_run (one, at_ms) VALUES (1, ?) ON CONFLICT DO NOTHING";
  database.run(sql, notBeforeMs - everyMs);
}
