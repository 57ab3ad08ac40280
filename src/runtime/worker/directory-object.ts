import { DurableObject } from "cloudflare:workers";
import type { PlaceMismatches } from "../../place-mismatches.ts";
import type { AuditEntry } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import type { RevocationOrder } from "../../revocation/order.ts";
import type { Acknowledgement, Replica } from "../../revocation/path.ts";
import { SqlDirectory } from "../sql/directory.ts";
import { SqlRevocations } from "../sql/revocations.ts";
import { directoryMigrations, revocationMigrations } from "../sql/schema.ts";
import { systemClock, systemEntropy } from "./clock.ts";
import { News } from "./news.ts";
import { ObjectDatabase } from "./object-database.ts";

/** There is one, under this name. */
export const directoryObjectName = "directory";

/**
 * What operators list across tenants: a copy of every entry, and the whole audit; and the orders that revoke something. The
 * truth about a tenant is in the tenant's own object, which tells this one of each change. An isolate that has requests open
 * keeps one question waiting here for news, whatever their number; one that has none asks before it admits.
 */
export class DirectoryObject extends DurableObject {
  readonly #database: ObjectDatabase;
  readonly #directory: SqlDirectory;
  readonly #revocations: SqlRevocations;
  /** Of orders and of tenants that changed, so that what is open is looked at again. */
  readonly #news = new News(systemClock, systemEntropy);

  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, bindings);
    this.#database = new ObjectDatabase(state.storage, {
      directory: directoryMigrations,
      revocation: revocationMigrations,
    });
    this.#directory = new SqlDirectory(this.#database);
    this.#revocations = new SqlRevocations(this.#database);
  }

  /** Takes a change over, once: told again of one that it has, it does nothing. Throws where one before it is missing. */
  async take(entry: DirectoryEntry, audit: AuditEntry): Promise<void> {
    this.#database.transact(() => {
      if (this.#directory.save(entry, audit)) return this.#news.tell();
      const known = this.#directory.find(entry.tenant.id)?.revision ?? 0;
      if (known < entry.revision) throw new Error(`revision ${entry.revision} of ${entry.tenant.id} came before ${known + 1}`);
    });
  }

  async list(after: string | undefined, count: number): Promise<readonly DirectoryEntry[]> {
    return this.#database.read([], () => this.#directory.list(after, count));
  }

  // Revocations.

  async readRevocations(): Promise<readonly RevocationOrder[]> {
    return this.#database.read([], () => this.#revocations.read());
  }

  async writeRevocation(order: RevocationOrder): Promise<void> {
    this.#database.transact(() => this.#revocations.write(order, systemClock.nowMs()));
    this.#news.tell();
  }

  async acknowledge(acknowledgements: readonly Acknowledgement[]): Promise<void> {
    this.#database.transact(() => this.#revocations.acknowledge(acknowledgements));
  }

  async acknowledgements(orderId: string): Promise<readonly Acknowledgement[]> {
    return this.#database.read([], () => this.#revocations.acknowledgements(orderId));
  }

  async beat(replica: Replica): Promise<void> {
    this.#database.transact(() => this.#revocations.beat(replica, systemClock.nowMs()));
  }

  async replicas(): Promise<readonly Replica[]> {
    return this.#database.read([], () => this.#revocations.replicas(systemClock.nowMs()));
  }

  /** Resolves with the mark of the latest news: once it is another than `known`, or after `waitMs`. */
  async awaitNews(known: string | undefined, waitMs: number): Promise<string> {
    return this.#news.after(known, waitMs);
  }

  async keepMismatches(found: PlaceMismatches): Promise<void> {
    this.#database.transact(() => this.#directory.keepMismatches(found));
  }

  async mismatches(): Promise<readonly PlaceMismatches[]> {
    return this.#database.read([], () => this.#directory.mismatches());
  }

  async note(audit: AuditEntry): Promise<void> {
    this.#database.transact(() => this.#directory.note(audit));
  }

  async audit(count: number): Promise<readonly AuditEntry[]> {
    return this.#database.read([], () => this.#directory.audit(undefined, count));
  }
}
