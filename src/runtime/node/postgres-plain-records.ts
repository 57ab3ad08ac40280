/** Records in PostgreSQL that are in no log: they go, and the audit entry of who deleted them says how many. */
import { quarterMs } from "../../ledger/journal-reader.ts";
import type { RetainedRecords } from "../../retention/retained-records.ts";
import { pageOf } from "../sql/retention/sql-records.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

const pageOfAudit: Statement = {
  name: "retention-audit",
  text: "SELECT sequence, tenant_id, document->>'at' AS at FROM strait.audit WHERE sequence > $1 ORDER BY sequence LIMIT $2",
};

const forgetAudit: Statement = {
  name: "retention-audit-forget",
  text: "DELETE FROM strait.audit WHERE sequence = ANY ($1::bigint[]) RETURNING 1",
};

/** What operators did. */
export function auditRecords(pool: PostgresPool): RetainedRecords {
  return {
    kind: "audit",
    async page(from, beforeMs, most) {
      const rows = await pool.repeatable<{ sequence: string; tenant_id: string; at: string }>(pageOfAudit, [from ?? 0, most]);
      const records = rows.map((row) => ({
        id: row.sequence,
        tenantId: row.tenant_id,
        atMs: Date.parse(row.at),
        model: undefined,
      }));
      return pageOf(records, beforeMs, most);
    },
    forget: async (records) => (await pool.once(forgetAudit, [records.map(({ id }) => id)])).length,
  };
}

/** An id is this as JSON. */
type KeyName = readonly [tenantId: string, keyId: string];

const pageOfKeyUse: Statement = {
  name: "retention-key-use",
  text: `SELECT tenant_id, key_id, last_used_at_ms FROM strait.key_use
    WHERE (tenant_id, key_id) > ($1, $2) AND last_used_at_ms < $3 ORDER BY tenant_id, key_id LIMIT $4`,
};

/** A key that was used meanwhile stays. */
const forgetKeyUse: Statement = {
  name: "retention-key-use-forget",
  text: `DELETE FROM strait.key_use USING unnest($1::text[], $2::text[]) AS due (tenant_id, key_id)
    WHERE key_use.tenant_id = due.tenant_id AND key_use.key_id = due.key_id AND last_used_at_ms < $3 RETURNING 1`,
};

/** When keys were last used. */
export function keyUseRecords(pool: PostgresPool): RetainedRecords {
  return {
    kind: "key_use",
    async page(from, beforeMs, most) {
      const rows = await pool.repeatable<{ tenant_id: string; key_id: string; last_used_at_ms: string }>(pageOfKeyUse, [
        ...keyName(from),
        beforeMs,
        most,
      ]);
      const records = rows.map((row) => ({
        id: JSON.stringify([row.tenant_id, row.key_id] satisfies KeyName),
        tenantId: row.tenant_id,
        atMs: Number(row.last_used_at_ms),
        model: undefined,
      }));
      return pageOf(records, beforeMs, most);
    },
    async forget(records, { beforeMs }) {
      const names = records.map(({ id }) => keyName(id));
      const values = [names.map(([tenantId]) => tenantId), names.map(([, keyId]) => keyId), beforeMs];
      return (await pool.once(forgetKeyUse, values)).length;
    },
  };
}

/** An id is this as JSON. */
type SliceName = readonly [quarter: number, tenantId: string];

/** Of quarters of an hour of a tenant that have nothing left to be merged. */
const pageOfUsage: Statement = {
  name: "retention-usage",
  text: `SELECT DISTINCT quarter, tenant_id FROM strait.usage_slice
    WHERE (quarter, tenant_id) > ($1, $2) AND quarter < $3
      AND NOT EXISTS (SELECT FROM strait.usage_part AS part WHERE part.tenant_id = usage_slice.tenant_id AND part.quarter = usage_slice.quarter)
    ORDER BY quarter, tenant_id LIMIT $4`,
};

/** What usage is asked by, and what limits count by: sums over the same receipts. */
const forgetUsage: Statement = {
  name: "retention-usage-forget",
  text: `WITH due AS (
      SELECT * FROM unnest($1::bigint[], $2::text[]) AS due (quarter, tenant_id)
    ), unused AS (
      DELETE FROM strait.used_slice USING due WHERE used_slice.tenant_id = due.tenant_id AND used_slice.quarter = due.quarter
    ), deleted AS (
      DELETE FROM strait.usage_slice USING due WHERE usage_slice.tenant_id = due.tenant_id AND usage_slice.quarter = due.quarter
      RETURNING due.tenant_id, due.quarter
    )
    SELECT DISTINCT tenant_id, quarter FROM deleted`,
};

/** Sums of use, a quarter of an hour of a tenant each. */
export function usageRecords(pool: PostgresPool): RetainedRecords {
  return {
    kind: "usage",
    async page(from, beforeMs, most) {
      const rows = await pool.repeatable<{ quarter: string; tenant_id: string }>(pageOfUsage, [
        ...sliceName(from),
        Math.floor(beforeMs / quarterMs),
        most,
      ]);
      const records = rows.map((row) => {
        const quarter = Number(row.quarter);
        const id = JSON.stringify([quarter, row.tenant_id] satisfies SliceName);
        return { id, tenantId: row.tenant_id, atMs: quarter * quarterMs, model: undefined };
      });
      return pageOf(records, beforeMs, most);
    },
    async forget(records) {
      const names = records.map(({ id }) => sliceName(id));
      const values = [names.map(([quarter]) => quarter), names.map(([, tenantId]) => tenantId)];
      return (await pool.once(forgetUsage, values)).length;
    },
  };
}

function keyName(id: string | undefined): KeyName {
  return id === undefined ? ["", ""] : (JSON.parse(id) as KeyName);
}

function sliceName(id: string | undefined): SliceName {
  return id === undefined ? [Number.MIN_SAFE_INTEGER, ""] : (JSON.parse(id) as SliceName);
}
