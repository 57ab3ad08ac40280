import { countOf, type PlaceMismatches } from "../../place-mismatches.ts";
import type { ShadowCounts } from "../../shadow-counts.ts";
import type { AuditEntry } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import type { SqlDatabase } from "./database.ts";

interface DocumentRow {
  readonly document: string;
}

/** The directory's logic on SQLite; `save` belongs inside a transaction of the database's owner. */
export class SqlDirectory {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  find(tenantId: string): DirectoryEntry | undefined {
    const [row] = this.#database.all<DocumentRow>("SELECT document FROM tenant WHERE id = ?", tenantId);
    return row === undefined ? undefined : (JSON.parse(row.document) as DirectoryEntry);
  }

  list(after: string | undefined, count: number): DirectoryEntry[] {
    const rows = this.#database.all<DocumentRow>(
      "SELECT document FROM tenant WHERE id > ? ORDER BY id LIMIT ?",
      after ?? "",
      count,
    );
    return rows.map((row) => JSON.parse(row.document) as DirectoryEntry);
  }

  save(entry: DirectoryEntry, audit: AuditEntry): boolean {
    const { id } = entry.tenant;
    const [row] = this.#database.all<{ revision: number }>("SELECT revision FROM tenant WHERE id = ?", id);
    if ((row?.revision ?? 0) !== entry.revision - 1) return false;
    this.#database.run(
      "INSERT INTO tenant (id, revision, document) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, document = excluded.document",
      id,
      entry.revision,
      JSON.stringify(entry),
    );
    this.note(audit);
    return true;
  }

  note(audit: AuditEntry): void {
    this.#database.run("INSERT INTO audit (tenant_id, document) VALUES (?, ?)", audit.tenantId, JSON.stringify(audit));
  }

  keepShadow(counts: ShadowCounts): void {
    this.#database.run("DELETE FROM shadow_count WHERE candidate <> ?", counts.candidate);
    this.#database.run(
      `INSERT INTO shadow_count (candidate, replica_id, compared, document) VALUES (?, ?, ?, ?)
        ON CONFLICT (candidate, replica_id) DO UPDATE SET compared = excluded.compared, document = excluded.document
        WHERE excluded.compared > shadow_count.compared`,
      counts.candidate,
      counts.replica,
      counts.compared,
      JSON.stringify(counts),
    );
  }

  shadows(candidate: string): ShadowCounts[] {
    const rows = this.#database.all<DocumentRow>("SELECT document FROM shadow_count WHERE candidate = ?", candidate);
    return rows.map((row) => JSON.parse(row.document) as ShadowCounts);
  }

  keepMismatches(found: PlaceMismatches): void {
    this.#database.run(
      `INSERT INTO place_mismatch (deployment, replica_id, count, document) VALUES (?, ?, ?, ?)
        ON CONFLICT (deployment, replica_id) DO UPDATE SET count = excluded.count, document = excluded.document
        WHERE excluded.count > place_mismatch.count`,
      found.deployment,
      found.replica,
      countOf(found),
      JSON.stringify(found),
    );
  }

  mismatches(): PlaceMismatches[] {
    const rows = this.#database.all<DocumentRow>("SELECT document FROM place_mismatch");
    return rows.map((row) => JSON.parse(row.document) as PlaceMismatches);
  }

  audit(tenantId: string | undefined, count: number): AuditEntry[] {
    const rows =
      tenantId === undefined
        ? this.#database.all<DocumentRow>("SELECT document FROM audit ORDER BY sequence DESC LIMIT ?", count)
        : this.#database.all<DocumentRow>(
            "SELECT document FROM audit WHERE tenant_id = ? ORDER BY sequence DESC LIMIT ?",
            tenantId,
            count,
          );
    return rows.map((row) => JSON.parse(row.document) as AuditEntry);
  }
}
