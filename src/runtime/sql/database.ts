export type SqlValue = string | number | Uint8Array | null;

/**
 * The little of SQLite that the stores need, the same in Node and in a Durable Object. Synchronous on purpose: what is
 * decided between two statements cannot be interleaved with anything else in the process. Whoever owns the database
 * puts a transaction around it. Adapters keep statements prepared, so callers pass constant SQL and bind every value.
 */
export interface SqlDatabase {
  /** Whether it wrote anything. To ask a statement for that with `RETURNING` costs as much as a small row does. */
  run(sql: string, ...parameters: readonly SqlValue[]): boolean;
  all<Row>(sql: string, ...parameters: readonly SqlValue[]): Row[];
}

/** One version of a schema: the statements that lead to it from the one before. */
export type Migration = readonly string[];

/**
 * Brings one area of the database to its newest version; what is there already stays. Call it inside a transaction:
 * several processes may start at once, and the second one must find the first one's work done or not begun.
 */
export function migrate(database: SqlDatabase, area: string, migrations: readonly Migration[]): void {
  database.run("CREATE TABLE IF NOT EXISTS schema_version (area TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID");
  const [stored] = database.all<{ version: number }>("SELECT version FROM schema_version WHERE area = ?", area);
  const version = stored?.version ?? 0;
  // Going on would write rows in a form that the newer process does not expect.
  if (version > migrations.length) {
    throw new Error(
      `The ${area} database has schema version ${version}, newer than ${migrations.length}. Start the newer Strait that wrote it.`,
    );
  }
  if (version === migrations.length) return;
  for (const statement of migrations.slice(version).flat()) database.run(statement);
  database.run(
    "INSERT INTO schema_version (area, version) VALUES (?, ?) ON CONFLICT (area) DO UPDATE SET version = excluded.version",
    area,
    migrations.length,
  );
}
