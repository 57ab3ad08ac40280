import type { BundleRecords, LoadedBundle } from "../../bundle/loaded-bundles.ts";
import type { AuditEntry } from "../../tenant/directory.ts";
import { SqlBundles } from "../sql/bundles.ts";
import { SqlDirectory } from "../sql/directory.ts";
import { orUnavailable, type SqliteDatabase } from "./sqlite-database.ts";

/** Loaded bundles beside the tenants, in the file that all processes of this machine share. */
export class SqliteBundles implements BundleRecords {
  readonly #database: SqliteDatabase;
  readonly #bundles: SqlBundles;
  readonly #directory: SqlDirectory;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#bundles = new SqlBundles(database);
    this.#directory = new SqlDirectory(database);
  }

  async bundleNames(): Promise<readonly string[]> {
    return orUnavailable(() => this.#bundles.names());
  }

  async bundles(): Promise<readonly LoadedBundle[]> {
    return orUnavailable(() => this.#bundles.all());
  }

  async addBundle(bundle: LoadedBundle, audit: AuditEntry): Promise<boolean> {
    return this.#audited(audit, () => this.#bundles.add(bundle));
  }

  async removeBundle(name: string, audit: AuditEntry): Promise<boolean> {
    return this.#audited(audit, () => this.#bundles.remove(name));
  }

  #audited(audit: AuditEntry, change: () => boolean): boolean {
    return orUnavailable(() =>
      this.#database.transact(() => {
        const changed = change();
        if (changed) this.#directory.note(audit);
        return changed;
      }),
    );
  }
}
