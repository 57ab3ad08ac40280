/** Receipts and refusals in PostgreSQL: the documents go, and the log keeps their hashes and says why they went. */
import type { DeletionRule, RecordPage, RetainedRecord, RetainedRecords } from "../../retention/retained-records.ts";
import { stateDeletion } from "../../retention/state-deletion.ts";
import { leafRuns } from "../../transparency/deletion-statement.ts";
import type { MerkleHasher } from "../../transparency/merkle.ts";
import { pageOf } from "../sql/retention/sql-records.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { growth, growTree, readTreeState } from "./postgres-tree-growth.ts";

/** An id is this as JSON. */
type Name = readonly [startedAtMs: number, requestId: string, tenantId: string];

interface Row {
  readonly tenant_id: string;
  readonly request_id: string;
  readonly started_at_ms: string;
  readonly model: string | null;
}

interface Forgotten {
  readonly receipts: number;
  readonly entries: number;
}

interface FoundRow {
  readonly tenant_id: string;
  readonly request_id: string;
  /** Its entries in the tree. */
  readonly leaves: readonly string[];
}

/** Whether a checkpoint covers an entry; not where it is in no tree yet. */
const isSigned = "coalesce(leaf_index < (SELECT max(size) FROM strait.log_checkpoint), false)";

/** What the log has of a receipt: nothing where a replica from before there was a log wrote it. */
const entries = `strait.log_entry AS entry
  WHERE entry.tenant_id = receipt.tenant_id AND entry.request_id = receipt.request_id AND NOT refused`;

/** The sums over receipts need not be waited for: they are written with them. */
const receiptMayGo = `NOT unsettled AND (SELECT bool_and(${isSigned}) FROM ${entries}) IS NOT FALSE`;
const refusalMayGo = `refused AND document IS NOT NULL AND ${isSigned}`;

const asked = "unnest($1::text[], $2::text[]) AS asked (tenant_id, request_id) USING (tenant_id, request_id)";

const pageOfReceipts: Statement = {
  name: "retention-receipts",
  text: `SELECT tenant_id, request_id, started_at_ms, document->>'model' AS model FROM strait.receipt
    WHERE started_at_ms < $1 AND (started_at_ms, request_id, tenant_id) > ($2, $3, $4) AND ${receiptMayGo}
    ORDER BY started_at_ms, request_id, tenant_id LIMIT $5`,
};

const findReceipts: Statement = {
  name: "retention-receipts-find",
  text: `SELECT tenant_id, request_id, ARRAY(SELECT leaf_index FROM ${entries}) AS leaves
    FROM strait.receipt JOIN ${asked} WHERE ${receiptMayGo}`,
};

/** Their ids begin with their time. */
const pageOfRefusals: Statement = {
  name: "retention-refusals",
  text: `SELECT tenant_id, request_id, document::jsonb->>'startedAtMs' AS started_at_ms, NULL AS model FROM strait.log_entry
    WHERE (request_id, tenant_id) > ($1, $2) AND ${refusalMayGo} ORDER BY request_id, tenant_id LIMIT $3`,
};

const findRefusals: Statement = {
  name: "retention-refusals-find",
  text: `SELECT tenant_id, request_id, ARRAY[leaf_index] AS leaves FROM strait.log_entry JOIN ${asked} WHERE ${refusalMayGo}`,
};

const find = { receipts: findReceipts, refusals: findRefusals } as const;

/** Entries lose their documents, what is said of that becomes the next entry, and receipts go: all of it or nothing. */
const forget: Statement = {
  name: "retention-forget",
  text: `${growTree}, stated AS (
      INSERT INTO strait.log_entry (tenant_id, request_id, refused, document, leaf_index)
      SELECT '*', '', false, statement, $1::bigint FROM unnest($6::text[]) AS statement WHERE EXISTS (SELECT FROM grown)
    ), forgotten AS (
      UPDATE strait.log_entry SET document = NULL, forgotten = $7
      WHERE leaf_index = ANY ($8::bigint[]) AND EXISTS (SELECT FROM grown) RETURNING 1
    ), deleted AS (
      DELETE FROM strait.receipt USING unnest($9::text[], $10::text[]) AS due (tenant_id, request_id)
      WHERE receipt.tenant_id = due.tenant_id AND receipt.request_id = due.request_id AND EXISTS (SELECT FROM grown)
      RETURNING 1
    )
    SELECT (SELECT count(*)::int FROM deleted) AS receipts, (SELECT count(*)::int FROM forgotten) AS entries FROM grown`,
};

export function receiptRecords(pool: PostgresPool, hasher: MerkleHasher): RetainedRecords {
  return {
    kind: "receipts",
    async page(from, beforeMs, most) {
      const after = nameOf(from);
      return pageOfRows(await pool.repeatable<Row>(pageOfReceipts, [beforeMs, ...after, most]), beforeMs, most);
    },
    forget: async (records, rule) => (await forgetLogged(pool, hasher, "receipts", records, rule)).receipts,
  };
}

export function refusalRecords(pool: PostgresPool, hasher: MerkleHasher): RetainedRecords {
  return {
    kind: "refusals",
    async page(from, beforeMs, most) {
      const [, ...after] = nameOf(from);
      return pageOfRows(await pool.repeatable<Row>(pageOfRefusals, [...after, most]), beforeMs, most);
    },
    forget: async (records, rule) => (await forgetLogged(pool, hasher, "refusals", records, rule)).entries,
  };
}

function nameOf(id: string | undefined): Name {
  return id === undefined ? [Number.MIN_SAFE_INTEGER, "", ""] : (JSON.parse(id) as Name);
}

function pageOfRows(rows: readonly Row[], beforeMs: number, most: number): RecordPage {
  const records = rows.map((row) => {
    const name: Name = [Number(row.started_at_ms), row.request_id, row.tenant_id];
    return { id: JSON.stringify(name), tenantId: row.tenant_id, atMs: name[0], model: row.model ?? undefined };
  });
  return pageOf(records, beforeMs, most);
}

async function forgetLogged(
  pool: PostgresPool,
  hasher: MerkleHasher,
  kind: keyof typeof find,
  records: readonly RetainedRecord[],
  rule: DeletionRule,
): Promise<Forgotten> {
  const names = records.map(({ id }) => nameOf(id));
  const values = [names.map(([, , tenantId]) => tenantId), names.map(([, requestId]) => requestId)];
  for (;;) {
    // In this order: what somebody else says of deletions after the size was read makes it another, and nothing is written.
    const { size } = await readTreeState(pool);
    const due = await pool.repeatable<FoundRow>(find[kind], values);
    if (due.length === 0) return { receipts: 0, entries: 0 };
    const leaves = due.flatMap((row) => row.leaves.map(Number)).toSorted((a, b) => a - b);
    const statements = leaves.length === 0 ? [] : [stateDeletion(leafRuns(leaves), rule)];
    const receipts = kind === "receipts" ? due : [];
    // Not repeated where a connection breaks: done already, it would find another size and count as done by somebody else.
    const [forgotten] = await pool.once<Forgotten>(forget, [
      ...(await growth(pool, hasher, size, statements)),
      statements,
      rule.className,
      leaves,
      receipts.map((row) => row.tenant_id),
      receipts.map((row) => row.request_id),
    ]);
    if (forgotten !== undefined) return forgotten;
  }
}
