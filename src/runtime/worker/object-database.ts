import { migrate, type Migration, type SqlDatabase, type SqlValue } from "../sql/database.ts";

/** A Durable Object's own SQLite. Its tables are made by the first write. */
export class ObjectDatabase implements SqlDatabase {
  readonly #storage: DurableObjectStorage;
  readonly #areas: Readonly<Record<string, readonly Migration[]>>;
  #migrated = false;

  constructor(storage: DurableObjectStorage, areas: Readonly<Record<string, readonly Migration[]>>) {
    this.#storage = storage;
    this.#areas = areas;
  }

  run(sql: string, ...parameters: readonly SqlValue[]): boolean {
    return this.#storage.sql.exec(sql, ...parameters).rowsWritten > 0;
  }

  all<Row>(sql: string, ...parameters: readonly SqlValue[]): Row[] {
    return this.#storage.sql.exec(sql, ...parameters).toArray() as Row[];
  }

  /** All of it or nothing of it; what was done in memory beside it is the caller's to take back. */
  transact<Result>(work: () => Result): Result {
    const result = this.#storage.transactionSync(() => {
      if (!this.#migrated) for (const [area, migrations] of Object.entries(this.#areas)) migrate(this, area, migrations);
      return work();
    });
    this.#migrated = true;
    return result;
  }

  /**
   * Reads, or gives `nothing` where nothing was ever written. Looking something up must not create it: whoever guesses
   * tenants' ids would leave a stored object behind for each.
   */
  read<Result>(nothing: Result, work: () => Result): Result {
    if (this.#migrated) return work();
    if (this.all("SELECT 1 FROM sqlite_master WHERE name = 'schema_version'").length === 0) return nothing;
    return this.transact(work);
  }
}
