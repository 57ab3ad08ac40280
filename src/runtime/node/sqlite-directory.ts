import type { Cancel, Clock } from "../../clock.ts";
import type { PlaceMismatches } from "../../place-mismatches.ts";
import type { ShadowCounts } from "../../shadow-counts.ts";
import type { AuditEntry, DirectoryAdmin } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import { SqlDirectory } from "../sql/directory.ts";
import type { KeyUse, SqlKeyUse } from "../sql/key-use.ts";
import type { SqliteBatcher } from "./sqlite-batcher.ts";
import { orUnavailable, type SqliteDatabase } from "./sqlite-database.ts";

/** About 2 KB each. */
const keptEntries = 50_000;
const keyUseEveryMs = 60_000;

/**
 * The directory in a file of its own, so that SQLite tells when another process changed it: entries are kept in memory
 * and are dropped the moment that number moves, so the next request in every process sees a change.
 */
export class SqliteDirectory implements DirectoryAdmin {
  readonly #database: SqliteDatabase;
  readonly #directory: SqlDirectory;
  /** In order of last use. */
  readonly #entries = new Map<string, DirectoryEntry>();
  #version: number | undefined;
  readonly #keyUse: SqlKeyUse;
  readonly #batcher: SqliteBatcher;
  readonly #clock: Clock;
  #uses = new Map<string, KeyUse>();
  #cancelWrite: Cancel | undefined;

  constructor(database: SqliteDatabase, keyUse: SqlKeyUse, batcher: SqliteBatcher, clock: Clock) {
    this.#database = database;
    this.#directory = new SqlDirectory(database);
    this.#keyUse = keyUse;
    this.#batcher = batcher;
    this.#clock = clock;
  }

  find(tenantId: string): DirectoryEntry | undefined {
    return orUnavailable(() => {
      this.#dropStale();
      let entry = this.#entries.get(tenantId);
      if (entry === undefined) {
        entry = this.#directory.find(tenantId);
        // Unknown ids are not kept: whoever guesses them would push the known ones out.
        if (entry === undefined) return undefined;
      } else {
        this.#entries.delete(tenantId);
      }
      this.#keep(tenantId, entry);
      return entry;
    });
  }

  async list(after: string | undefined, count: number): Promise<readonly DirectoryEntry[]> {
    return orUnavailable(() => this.#directory.list(after, count));
  }

  async save(entry: DirectoryEntry, audit: AuditEntry): Promise<boolean> {
    return orUnavailable(() => {
      const saved = this.#database.transact(() => this.#directory.save(entry, audit));
      // Read again from the file: what was passed in is the caller's to change. The version is silent on one's own writes.
      this.#entries.delete(entry.tenant.id);
      return saved;
    });
  }

  async note(audit: AuditEntry): Promise<void> {
    orUnavailable(() => this.#database.transact(() => this.#directory.note(audit)));
  }

  async keepShadow(counts: ShadowCounts): Promise<void> {
    orUnavailable(() => this.#database.transact(() => this.#directory.keepShadow(counts)));
  }

  async shadows(candidate: string): Promise<readonly ShadowCounts[]> {
    return orUnavailable(() => this.#directory.shadows(candidate));
  }

  async keepMismatches(found: PlaceMismatches): Promise<void> {
    orUnavailable(() => this.#database.transact(() => this.#directory.keepMismatches(found)));
  }

  async mismatches(): Promise<readonly PlaceMismatches[]> {
    return orUnavailable(() => this.#directory.mismatches());
  }

  async audit(tenantId: string | undefined, count: number): Promise<readonly AuditEntry[]> {
    return orUnavailable(() => this.#directory.audit(tenantId, count));
  }

  touchKey(tenantId: string, keyId: string, atMs: number): void {
    const name = `${tenantId}\n${keyId}`;
    const known = this.#uses.get(name);
    if (known !== undefined && known.atMs >= atMs) return;
    this.#uses.set(name, { tenantId, keyId, atMs });
    this.#cancelWrite ??= this.#clock.after(keyUseEveryMs, () => {
      this.#cancelWrite = undefined;
      void this.#writeKeyUse();
    });
  }

  async lastUsed(tenantId: string): Promise<ReadonlyMap<string, number>> {
    const lastUsed = await this.#batcher.run(() => this.#keyUse.lastUsed(tenantId));
    for (const use of this.#uses.values()) {
      if (use.tenantId === tenantId) lastUsed.set(use.keyId, Math.max(use.atMs, lastUsed.get(use.keyId) ?? 0));
    }
    return lastUsed;
  }

  /** Queues what is not yet written about keys; the batcher is closed after this, and the files after that. */
  close(): void {
    this.#cancelWrite?.();
    void this.#writeKeyUse();
  }

  async #writeKeyUse(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = this.#uses;
    this.#uses = new Map();
    try {
      await this.#batcher.run(() => this.#keyUse.write(uses.values()));
    } catch {
      // Put back what no newer use has replaced, for the next time; nothing depends on it.
      for (const use of uses.values()) this.touchKey(use.tenantId, use.keyId, use.atMs);
    }
  }

  #dropStale(): void {
    const version = this.#database.dataVersion();
    if (version !== this.#version) this.#entries.clear();
    this.#version = version;
  }

  #keep(tenantId: string, entry: DirectoryEntry): void {
    this.#entries.set(tenantId, entry);
    if (this.#entries.size <= keptEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
