import { DurableObject } from "cloudflare:workers";
import type { AuditEntry } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import { SqlDirectory } from "../sql/directory.ts";
import { directoryMigrations } from "../sql/schema.ts";
import { ObjectDatabase } from "./object-database.ts";

/** There is one, under this name. */
export const directoryObjectName = "directory";

/**
 * What operators list across tenants: a copy of every entry, and the whole audit. No request of a tenant asks it, so it
 * carries no load; the truth about a tenant is in the tenant's own object, which tells this one of each change.
 */
export class DirectoryObject extends DurableObject {
  readonly #database: ObjectDatabase;
  readonly #directory: SqlDirectory;

  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, bindings);
    this.#database = new ObjectDatabase(state.storage, { directory: directoryMigrations });
    this.#directory = new SqlDirectory(this.#database);
  }

  /** Takes a change over, once: told again of one that it has, it does nothing. Throws where one before it is missing. */
  async take(entry: DirectoryEntry, audit: AuditEntry): Promise<void> {
    this.#database.transact(() => {
      if (this.#directory.save(entry, audit)) return;
      const known = this.#directory.find(entry.tenant.id)?.revision ?? 0;
      if (known < entry.revision) throw new Error(`revision ${entry.revision} of ${entry.tenant.id} came before ${known + 1}`);
    });
  }

  async list(after: string | undefined, count: number): Promise<readonly DirectoryEntry[]> {
    return this.#database.read([], () => this.#directory.list(after, count));
  }

  async audit(count: number): Promise<readonly AuditEntry[]> {
    return this.#database.read([], () => this.#directory.audit(undefined, count));
  }
}
