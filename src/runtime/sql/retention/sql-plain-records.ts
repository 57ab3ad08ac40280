/** Records in no log: they go, and the audit entry of who deleted them says how many. */
import { quarterMs } from "../../../ledger/journal-reader.ts";
import type { SqlDatabase } from "../database.ts";
import { pageOf, type SqlRecords } from "./sql-records.ts";

/** What operators did. */
export function auditRecords(database: SqlDatabase): SqlRecords {
  return {
    kind: "audit",
    page(from, beforeMs, most) {
      const rows = database.all<{ sequence: number; tenant_id: string; at: string }>(
        "SELECT sequence, tenant_id, document->>'$.at' AS at FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?",
        Number(from ?? 0),
        most,
      );
      const records = rows.map((row) => ({
        id: String(row.sequence),
        tenantId: row.tenant_id,
        atMs: Date.parse(row.at),
        model: undefined,
      }));
      return pageOf(records, beforeMs, most);
    },
    forget: (records) =>
      sum(records.map(({ id }) => database.all("DELETE FROM audit WHERE sequence = ? RETURNING 1", Number(id)).length)),
  };
}

/** When keys were last used. */
export function keyUseRecords(database: SqlDatabase): SqlRecords {
  return {
    kind: "key_use",
    page(from, beforeMs, most) {
      const rows = database.all<{ tenant_id: string; key_id: string; last_used_at_ms: number }>(
        `SELECT tenant_id, key_id, last_used_at_ms FROM key_use WHERE (tenant_id, key_id) > (?, ?) AND last_used_at_ms < ?
         ORDER BY tenant_id, key_id LIMIT ?`,
        ...parts(from),
        beforeMs,
        most,
      );
      const records = rows.map((row) => ({
        id: `${row.tenant_id} ${row.key_id}`,
        tenantId: row.tenant_id,
        atMs: row.last_used_at_ms,
        model: undefined,
      }));
      return pageOf(records, beforeMs, most);
    },
    // A key that was used meanwhile stays.
    forget: (records, { beforeMs }) =>
      sum(
        records.map(({ id }) => {
          const sql = "DELETE FROM key_use WHERE tenant_id = ? AND key_id = ? AND last_used_at_ms < ? RETURNING 1";
          return database.all(sql, ...parts(id), beforeMs).length;
        }),
      ),
  };
}

/** Sums of use, a quarter of an hour of a tenant each. */
export function usageRecords(database: SqlDatabase): SqlRecords {
  return {
    kind: "usage",
    page(from, beforeMs, most) {
      const [afterTenant, afterQuarter] = parts(from);
      const rows = database.all<{ tenant_id: string; quarter: number }>(
        `SELECT DISTINCT tenant_id, quarter FROM usage_slice WHERE (quarter, tenant_id) > (?, ?) AND quarter < ?
         ORDER BY quarter, tenant_id LIMIT ?`,
        afterQuarter === "" ? Number.MIN_SAFE_INTEGER : Number(afterQuarter),
        afterTenant,
        Math.floor(beforeMs / quarterMs),
        most,
      );
      const records = rows.map(({ tenant_id: tenantId, quarter }) => ({
        id: `${tenantId} ${quarter}`,
        tenantId,
        atMs: quarter * quarterMs,
        model: undefined,
      }));
      return pageOf(records, beforeMs, most);
    },
    forget: (records) =>
      sum(
        records.map(({ id }) => {
          const [tenantId, quarter] = parts(id);
          const sql = "DELETE FROM usage_slice WHERE tenant_id = ? AND quarter = ? RETURNING 1";
          return Math.min(1, database.all(sql, tenantId, Number(quarter)).length);
        }),
      ),
  };
}

/** No tenant's id has a blank. */
function parts(id: string | undefined): readonly [string, string] {
  const space = id?.indexOf(" ") ?? -1;
  return id === undefined ? ["", ""] : [id.slice(0, space), id.slice(space + 1)];
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, one) => all + one, 0);
}
