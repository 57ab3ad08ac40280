import { loadedName, type BundleRecords, type LoadedBundle } from "../../bundle/loaded-bundles.ts";
import type { AuditEntry } from "../../tenant/directory.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { storableJson } from "./postgres-text.ts";

const names: Statement = { name: "bundle-names", text: "SELECT name FROM strait.policy_bundle ORDER BY name" };

const all: Statement = { name: "bundles", text: "SELECT document FROM strait.policy_bundle ORDER BY name" };

const add: Statement = {
  name: "bundle-add",
  text: `WITH added AS (
      INSERT INTO strait.policy_bundle (name, shadow, version, effective_from, document) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT DO NOTHING RETURNING name
    ), audited AS (
      INSERT INTO strait.audit (tenant_id, document) SELECT $6::text, $7::jsonb FROM added
    )
    SELECT name FROM added`,
};

const remove: Statement = {
  name: "bundle-remove",
  text: `WITH removed AS (
      DELETE FROM strait.policy_bundle WHERE name = $1 RETURNING name
    ), audited AS (
      INSERT INTO strait.audit (tenant_id, document) SELECT $2::text, $3::jsonb FROM removed
    )
    SELECT name FROM removed`,
};

/** Loaded bundles in PostgreSQL. Documents are text: the signed bytes stay what they were. */
export class PostgresBundles implements BundleRecords {
  readonly #pool: Pick<PostgresPool, "repeatable" | "once">;

  constructor(pool: Pick<PostgresPool, "repeatable" | "once">) {
    this.#pool = pool;
  }

  async bundleNames(): Promise<readonly string[]> {
    return (await this.#pool.repeatable<{ name: string }>(names, [])).map(({ name }) => name);
  }

  async bundles(): Promise<readonly LoadedBundle[]> {
    const rows = await this.#pool.repeatable<{ document: string }>(all, []);
    return rows.map(({ document }) => JSON.parse(document) as LoadedBundle);
  }

  async addBundle(bundle: LoadedBundle, audit: AuditEntry): Promise<boolean> {
    const { shadow, version, effectiveFrom } = bundle;
    const columns = [loadedName(bundle), shadow, version, effectiveFrom ?? "", JSON.stringify(bundle)];
    return (await this.#pool.once(add, [...columns, audit.tenantId, storableJson(audit)])).length > 0;
  }

  async removeBundle(name: string, audit: AuditEntry): Promise<boolean> {
    return (await this.#pool.once(remove, [name, audit.tenantId, storableJson(audit)])).length > 0;
  }
}
