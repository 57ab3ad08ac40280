import { loadedName, type LoadedBundle } from "../../bundle/loaded-bundles.ts";
import type { SqlDatabase } from "./database.ts";

/** Loaded bundles on SQLite; what writes belongs inside a transaction of the database's owner, with its audit record. */
export class SqlBundles {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  names(): string[] {
    return this.#database.all<{ name: string }>("SELECT name FROM policy_bundle ORDER BY name").map(({ name }) => name);
  }

  all(): LoadedBundle[] {
    const rows = this.#database.all<{ document: string }>("SELECT document FROM policy_bundle ORDER BY name");
    return rows.map((row) => JSON.parse(row.document) as LoadedBundle);
  }

  /** False where one of the unique indexes says that it stands or that another is in its way. */
  add(bundle: LoadedBundle): boolean {
    return this.#database.run(
      "INSERT INTO policy_bundle (name, shadow, version, effective_from, document) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      loadedName(bundle),
      bundle.shadow ? 1 : 0,
      bundle.version,
      bundle.effectiveFrom ?? "",
      JSON.stringify(bundle),
    );
  }

  remove(name: string): boolean {
    return this.#database.run("DELETE FROM policy_bundle WHERE name = ?", name);
  }
}
