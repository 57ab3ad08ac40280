import type { AuditEntry } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import type { Migration, SqlDatabase } from "../sql/database.ts";

/** `outbox`: changes of the tenant that the directory object has not yet been told of, in order. */
export const outboxMigrations: readonly Migration[] = [
  ["CREATE TABLE outbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL, audit TEXT NOT NULL)"],
];

export interface OutboxChange {
  readonly sequence: number;
  readonly entry: DirectoryEntry;
  readonly audit: AuditEntry;
}

/**
 * What the tenant's object has still to tell the directory object. Two objects share no transaction: the change and the
 * duty to tell of it are written together, and telling may be repeated.
 */
export class Outbox {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  add(entry: DirectoryEntry, audit: AuditEntry): void {
    this.#database.run("INSERT INTO outbox (entry, audit) VALUES (?, ?)", JSON.stringify(entry), JSON.stringify(audit));
  }

  waiting(): OutboxChange[] {
    const rows = this.#database.all<{ sequence: number; entry: string; audit: string }>(
      "SELECT sequence, entry, audit FROM outbox ORDER BY sequence",
    );
    return rows.map(({ sequence, entry, audit }) => ({
      sequence,
      entry: JSON.parse(entry) as DirectoryEntry,
      audit: JSON.parse(audit) as AuditEntry,
    }));
  }

  told(sequence: number): void {
    this.#database.run("DELETE FROM outbox WHERE sequence = ?", sequence);
  }
}
