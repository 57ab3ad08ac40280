import { randomUUID } from "node:crypto";
import { countOf, type PlaceMismatches } from "../../place-mismatches.ts";
import type { ShadowCounts } from "../../shadow-counts.ts";
import type { AuditEntry, DirectoryAdmin } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import type { PostgresKeyUse } from "./postgres-key-use.ts";
import type { PostgresListener } from "./postgres-listener.ts";
import type { Found, PostgresLookups } from "./postgres-lookups.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { directoryChannel } from "./postgres-schema.ts";
import { isStorable, storableJson } from "./postgres-text.ts";

export interface DirectoryPorts {
  readonly pool: Pick<PostgresPool, "repeatable" | "once">;
  readonly lookups: Pick<PostgresLookups, "ask">;
  readonly listener: Pick<PostgresListener, "epoch" | "trusted">;
  readonly keyUse: Pick<PostgresKeyUse, "touch" | "lastUsed">;
}

interface Kept {
  readonly found: Found;
  /** The listener's epoch in which the database was asked; `outdated` after a message that it changed. */
  readonly epoch: number;
  readonly asked: number;
}

interface Asking {
  readonly asked: number;
  readonly epoch: number;
  answer: Promise<DirectoryEntry | undefined> | undefined;
  sent: boolean;
  /** The version of which a message came while the question was on its way: an answer with any other is outdated. */
  heard: string | undefined;
}

const outdated = -1;

/**
 * The write, its audit record and the message to the other replicas, in one statement and so in one transaction: a new
 * tenant where there is none, a change where the revision is still the one before.
 */
const save: Statement = {
  name: "tenant-save",
  text: `WITH added AS (
      INSERT INTO strait.tenant (id, revision, version, document) SELECT $1::text, $2::bigint, $3::uuid, $4::jsonb WHERE $2::bigint = 1
      ON CONFLICT (id) DO NOTHING RETURNING id
    ), changed AS (
      UPDATE strait.tenant SET revision = $2::bigint, version = $3::uuid, document = $4::jsonb
      WHERE id = $1::text AND revision = $2::bigint - 1 AND $2::bigint > 1 RETURNING id
    ), saved AS (
      SELECT id FROM added UNION ALL SELECT id FROM changed
    ), audited AS (
      INSERT INTO strait.audit (tenant_id, document) SELECT $5::text, $6::jsonb FROM saved
    )
    SELECT pg_notify('${directoryChannel}', $3::uuid::text || ' ' || id) FROM saved`,
};

const note: Statement = {
  name: "audit-note",
  text: "INSERT INTO strait.audit (tenant_id, document) VALUES ($1, $2)",
};

const keepMismatches: Statement = {
  name: "mismatches-keep",
  text: `INSERT INTO strait.place_mismatch AS kept (deployment, replica_id, count, document) VALUES ($1, $2, $3, $4::jsonb)
    ON CONFLICT (deployment, replica_id) DO UPDATE SET count = excluded.count, document = excluded.document
    WHERE excluded.count > kept.count`,
};

const keepShadow: Statement = {
  name: "shadow-keep",
  text: `WITH others AS (DELETE FROM strait.shadow_count WHERE candidate <> $1)
    INSERT INTO strait.shadow_count AS kept (candidate, replica_id, compared, document) VALUES ($1, $2, $3, $4::jsonb)
    ON CONFLICT (candidate, replica_id) DO UPDATE SET compared = excluded.compared, document = excluded.document
    WHERE excluded.compared > kept.compared`,
};

const shadows: Statement = { name: "shadows", text: "SELECT document FROM strait.shadow_count WHERE candidate = $1" };

const mismatches: Statement = { name: "mismatches", text: "SELECT document FROM strait.place_mismatch" };

const list: Statement = {
  name: "tenant-list",
  text: "SELECT document FROM strait.tenant WHERE id > $1 ORDER BY id LIMIT $2",
};

const auditOfAll: Statement = {
  name: "audit-all",
  text: "SELECT document FROM strait.audit ORDER BY sequence DESC LIMIT $1",
};

const auditOfOne: Statement = {
  name: "audit-one",
  text: "SELECT document FROM strait.audit WHERE tenant_id = $1 ORDER BY sequence DESC LIMIT $2",
};

/**
 * Tenants in PostgreSQL, with what this process uses of them in memory. Every change is told to every replica as it is
 * committed. An entry is answered from memory only while the listener would have heard of a change and the entry was
 * read within its present connection; otherwise the database is asked whether the version is still the same, and where
 * it is, the answer is the very same object. A database that cannot be asked rejects, and nobody is let in.
 */
export class PostgresDirectory implements DirectoryAdmin {
  readonly #pool: DirectoryPorts["pool"];
  readonly #lookups: DirectoryPorts["lookups"];
  readonly #listener: DirectoryPorts["listener"];
  readonly #keyUse: DirectoryPorts["keyUse"];
  readonly #most: number;
  /** In order of last use. */
  readonly #kept = new Map<string, Kept>();
  readonly #asking = new Map<string, Asking>();
  #asked = 0;

  /** Keeps at most `most` entries, about 2 KB each. */
  constructor(ports: DirectoryPorts, most: number) {
    this.#pool = ports.pool;
    this.#lookups = ports.lookups;
    this.#listener = ports.listener;
    this.#keyUse = ports.keyUse;
    this.#most = most;
  }

  find(tenantId: string): DirectoryEntry | undefined | Promise<DirectoryEntry | undefined> {
    const kept = this.#kept.get(tenantId);
    const trusted = this.#listener.trusted();
    if (kept !== undefined && trusted && kept.epoch === this.#listener.epoch) {
      this.#kept.delete(tenantId);
      this.#kept.set(tenantId, kept);
      return kept.found.entry;
    }
    if (!isStorable(tenantId)) return undefined;
    const asking = this.#asking.get(tenantId);
    // A question that has left may miss what was committed since. The listener would tell, as long as it is trusted.
    if (asking?.answer !== undefined && (!asking.sent || (trusted && asking.heard === undefined))) return asking.answer;
    return this.#ask(tenantId, kept?.found);
  }

  /** Takes the listener's message: `<version> <tenant id>`. Our own writes are told to us as well. */
  hear(payload: string): void {
    const space = payload.indexOf(" ");
    this.#changed(payload.slice(space + 1), payload.slice(0, space));
  }

  async list(after: string | undefined, count: number): Promise<readonly DirectoryEntry[]> {
    const rows = await this.#pool.repeatable<{ document: DirectoryEntry }>(list, [after ?? "", count]);
    return rows.map((row) => row.document);
  }

  async save(entry: DirectoryEntry, audit: AuditEntry): Promise<boolean> {
    const { id } = entry.tenant;
    const version = randomUUID();
    try {
      const values = [id, entry.revision, version, storableJson(entry), audit.tenantId, storableJson(audit)];
      return (await this.#pool.once(save, values)).length > 0;
    } finally {
      // Also where it failed: the answer may have been lost after the write was done.
      this.#changed(id, version);
    }
  }

  async note(audit: AuditEntry): Promise<void> {
    await this.#pool.once(note, [audit.tenantId, storableJson(audit)]);
  }

  async keepShadow(counts: ShadowCounts): Promise<void> {
    const values = [counts.candidate, counts.replica, counts.compared, storableJson(counts)];
    await this.#pool.repeatable(keepShadow, values);
  }

  async shadows(candidate: string): Promise<readonly ShadowCounts[]> {
    const rows = await this.#pool.repeatable<{ document: ShadowCounts }>(shadows, [candidate]);
    return rows.map((row) => row.document);
  }

  async keepMismatches(found: PlaceMismatches): Promise<void> {
    const values = [found.deployment, found.replica, countOf(found), storableJson(found)];
    await this.#pool.repeatable(keepMismatches, values);
  }

  async mismatches(): Promise<readonly PlaceMismatches[]> {
    const rows = await this.#pool.repeatable<{ document: PlaceMismatches }>(mismatches, []);
    return rows.map((row) => row.document);
  }

  async audit(tenantId: string | undefined, count: number): Promise<readonly AuditEntry[]> {
    const query = tenantId === undefined ? auditOfAll : auditOfOne;
    const values = tenantId === undefined ? [count] : [tenantId, count];
    const rows = await this.#pool.repeatable<{ document: AuditEntry }>(query, values);
    return rows.map((row) => row.document);
  }

  touchKey(tenantId: string, keyId: string, atMs: number): void {
    this.#keyUse.touch(tenantId, keyId, atMs);
  }

  lastUsed(tenantId: string): Promise<ReadonlyMap<string, number>> {
    return this.#keyUse.lastUsed(tenantId);
  }

  #ask(tenantId: string, known: Found | undefined): Promise<DirectoryEntry | undefined> {
    const asking: Asking = {
      asked: ++this.#asked,
      epoch: this.#listener.epoch,
      answer: undefined,
      sent: false,
      heard: undefined,
    };
    this.#asking.set(tenantId, asking);
    asking.answer = this.#answer(tenantId, known, asking);
    return asking.answer;
  }

  async #answer(tenantId: string, known: Found | undefined, asking: Asking): Promise<DirectoryEntry | undefined> {
    try {
      const found = await this.#lookups.ask(tenantId, known, () => (asking.sent = true));
      return this.#keep(tenantId, found, asking);
    } finally {
      if (this.#asking.get(tenantId) === asking) this.#asking.delete(tenantId);
    }
  }

  #keep(tenantId: string, found: Found | undefined, asking: Asking): DirectoryEntry | undefined {
    const kept = this.#kept.get(tenantId);
    // Questions travel on several connections: an earlier one that is answered later knows less.
    if (kept !== undefined && kept.asked > asking.asked)
      return kept.found.version === found?.version ? kept.found.entry : found?.entry;
    this.#kept.delete(tenantId);
    // Unknown ids are not kept: whoever guesses them would push the known ones out.
    if (found === undefined) return undefined;
    const same = kept?.found.version === found.version ? kept.found : found;
    // Messages go to the latest question alone.
    const current = this.#asking.get(tenantId) === asking && (asking.heard === undefined || asking.heard === found.version);
    this.#kept.set(tenantId, { found: same, epoch: current ? asking.epoch : outdated, asked: asking.asked });
    if (this.#kept.size > this.#most) {
      const [oldest] = this.#kept.keys();
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
    return same.entry;
  }

  /** The entry stays, to be compared with what the database has. */
  #changed(tenantId: string, version: string): void {
    const asking = this.#asking.get(tenantId);
    if (asking?.sent === true) asking.heard = version;
    const kept = this.#kept.get(tenantId);
    if (kept !== undefined && kept.found.version !== version) this.#kept.set(tenantId, { ...kept, epoch: outdated });
  }
}
