import type { SqlDatabase } from "./database.ts";

/** When a key was last used. */
export interface KeyUse {
  readonly tenantId: string;
  readonly keyId: string;
  readonly atMs: number;
}

/** When keys were last used, on SQLite. Apart from the directory: it changes all the time, and the directory hardly ever. */
export class SqlKeyUse {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  write(uses: Iterable<KeyUse>): void {
    for (const { tenantId, keyId, atMs } of uses) {
      this.#database.run(
        `INSERT INTO key_use (tenant_id, key_id, last_used_at_ms) VALUES (?, ?, ?)
         ON CONFLICT (tenant_id, key_id) DO UPDATE SET last_used_at_ms = max(last_used_at_ms, excluded.last_used_at_ms)`,
        tenantId,
        keyId,
        atMs,
      );
    }
  }

  lastUsed(tenantId: string): Map<string, number> {
    const sql = "SELECT key_id, last_used_at_ms FROM key_use WHERE tenant_id = ?";
    const rows = this.#database.all<{ key_id: string; last_used_at_ms: number }>(sql, tenantId);
    return new Map(rows.map((row) => [row.key_id, row.last_used_at_ms]));
  }
}
