import type { Journal } from "../../ledger/journal.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { hex } from "../../tenant/key.ts";
import type { MerkleHasher } from "../../transparency/merkle.ts";
import { PostgresBatch } from "./postgres-batch.ts";
import { isCallersFault } from "./postgres-error.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { isStorable, storableRecord } from "./postgres-text.ts";

interface Append {
  readonly receipt: Receipt;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface NameRow {
  readonly tenant_id: string;
  readonly request_id: string;
}

interface UnsettledRow extends NameRow {
  readonly document: string | null;
}

interface DocumentRow {
  readonly document: Receipt;
}

/**
 * One text of all receipts, a line each, which the server reads once: cheaper for the gateway than to bind each column of
 * each row, and one prepared statement whatever their number. What is written is the log's next entry, by its very text;
 * given back are those that found one of their request there. In order of the key, so that replicas that report the same
 * requests wait for each other and never in a circle. An index entry has an upper size, and nothing that long is ever
 * asked for.
 */
const append: Statement = {
  name: "receipt-append",
  text: `WITH batch AS (
      SELECT line, one, one->>'tenantId' AS tenant_id, one->>'requestId' AS request_id
      FROM string_to_table($1, E'\n') AS line, LATERAL CAST(line AS jsonb) AS one
    ), written AS (
      INSERT INTO strait.receipt (tenant_id, request_id, started_at_ms, response_id, unsettled, document)
      SELECT tenant_id, request_id, (one->>'startedAtMs')::bigint,
        CASE WHEN length(one->>'responseId') <= 500 THEN one->>'responseId' END, one->>'end' = 'unsettled', one
      FROM batch ORDER BY tenant_id COLLATE "C", request_id COLLATE "C"
      ON CONFLICT (tenant_id, request_id) DO NOTHING RETURNING tenant_id, request_id
    ), logged AS (
      INSERT INTO strait.log_entry (tenant_id, request_id, refused, document)
      SELECT tenant_id, request_id, false, line FROM batch JOIN written USING (tenant_id, request_id)
    )
    SELECT tenant_id, request_id FROM batch WHERE one->>'end' <> 'unsettled'
      AND NOT EXISTS (SELECT FROM written WHERE written.tenant_id = batch.tenant_id AND written.request_id = batch.request_id)`,
};

/** Of these requests, those whose receipt gives way, with what it is in the log; a replica from before wrote none there. */
const findUnsettled: Statement = {
  name: "receipt-unsettled",
  text: `SELECT tenant_id, request_id, (
      SELECT document FROM strait.log_entry AS entry WHERE entry.tenant_id = receipt.tenant_id
        AND entry.request_id = receipt.request_id AND NOT refused ORDER BY sequence DESC LIMIT 1
    ) AS document
    FROM strait.receipt JOIN unnest($1::text[], $2::text[]) AS asked (tenant_id, request_id) USING (tenant_id, request_id)
    WHERE unsettled`,
};

/**
 * Only an unsettled receipt gives way, and only once, so that whoever read what it is corrects just that. Its text is declared
 * one: taken for `jsonb`, it would come into the log as the server writes that, which is no canonical form.
 */
const correct: Statement = {
  name: "receipt-correct",
  text: `WITH corrected AS (
      UPDATE strait.receipt SET started_at_ms = (one->>'startedAtMs')::bigint,
        response_id = CASE WHEN length(one->>'responseId') <= 500 THEN one->>'responseId' END, unsettled = false, document = one
      FROM CAST($1::text AS jsonb) AS one
      WHERE tenant_id = one->>'tenantId' AND request_id = one->>'requestId' AND unsettled RETURNING tenant_id, request_id
    )
    INSERT INTO strait.log_entry (tenant_id, request_id, refused, document)
    SELECT tenant_id, request_id, false, $1::text FROM corrected`,
};

const find: Statement = {
  name: "receipt-find",
  text: "SELECT document FROM strait.receipt WHERE tenant_id = $1 AND request_id = $2",
};

const list: Statement = {
  name: "receipt-list",
  text: "SELECT document FROM strait.receipt WHERE tenant_id = $1 AND started_at_ms < $2 ORDER BY started_at_ms DESC, request_id DESC LIMIT $3",
};

/** Later calls about a stored response may carry its id as well; the exchange that made it is the first. */
const findResponse: Statement = {
  name: "receipt-response",
  text: "SELECT document FROM strait.receipt WHERE tenant_id = $1 AND response_id = $2 ORDER BY started_at_ms, request_id LIMIT 1",
};

const lanes = 3;
const mostReceipts = 500;

/** Receipts in PostgreSQL: durable where its own settings are (`synchronous_commit`). */
export class PostgresJournal implements Journal {
  readonly #pool: PostgresPool;
  readonly #hasher: MerkleHasher;
  readonly #batch: PostgresBatch<Append>;

  constructor(pool: PostgresPool, hasher: MerkleHasher) {
    this.#pool = pool;
    this.#hasher = hasher;
    this.#batch = new PostgresBatch((appends) => this.#write(appends), lanes, mostReceipts);
  }

  append(receipt: Receipt): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#batch.add({ receipt, resolve, reject });
    });
  }

  find(tenantId: string, requestId: string): Promise<Receipt | undefined> {
    return this.#first(find, tenantId, requestId);
  }

  async list(tenantId: string, beforeMs: number | undefined, count: number): Promise<readonly Receipt[]> {
    if (!isStorable(tenantId)) return [];
    const rows = await this.#pool.repeatable<DocumentRow>(list, [
      tenantId,
      Math.ceil(beforeMs ?? Number.MAX_SAFE_INTEGER),
      count,
    ]);
    return rows.map((row) => row.document);
  }

  findResponse(tenantId: string, responseId: string): Promise<Receipt | undefined> {
    return this.#first(findResponse, tenantId, responseId);
  }

  /** Waits for what was asked for. */
  close(): Promise<void> {
    return this.#batch.idle();
  }

  async #first(statement: Statement, tenantId: string, id: string): Promise<Receipt | undefined> {
    if (!isStorable(tenantId) || !isStorable(id)) return undefined;
    const [row] = await this.#pool.repeatable<DocumentRow>(statement, [tenantId, id]);
    return row?.document;
  }

  async #write(appends: readonly Append[]): Promise<void> {
    try {
      const receipts = lastOfEach(appends);
      const standing = await this.#pool.repeatable<NameRow>(append, [[...receipts.values()].map(storableRecord).join("\n")]);
      if (standing.length > 0) await this.#correct(standing, receipts);
    } catch (error) {
      if (appends.length === 1 || !isCallersFault(error)) for (const one of appends) one.reject(error);
      // One receipt that the database does not take must take no other with it.
      else for (const one of appends) await this.#write([one]);
      return;
    }
    for (const one of appends) one.resolve();
  }

  async #correct(standing: readonly NameRow[], receipts: ReadonlyMap<string, Receipt>): Promise<void> {
    const names = [standing.map((row) => row.tenant_id), standing.map((row) => row.request_id)];
    for (const row of await this.#pool.repeatable<UnsettledRow>(findUnsettled, names)) {
      const receipt = receipts.get(nameOf(row.tenant_id, row.request_id));
      if (receipt === undefined) continue;
      const corrects = row.document === null ? undefined : hex(this.#hasher.leafOfText(row.document));
      await this.#pool.repeatable(correct, [storableRecord({ ...receipt, corrects })]);
    }
  }
}

/**
 * A statement may change no row twice, so of several receipts of one request the batch carries the one that would have
 * stood had they come one after the other.
 */
function lastOfEach(appends: readonly Append[]): ReadonlyMap<string, Receipt> {
  const receipts = new Map<string, Receipt>();
  for (const { receipt } of appends) {
    const name = nameOf(receipt.tenantId, receipt.requestId);
    const earlier = receipts.get(name);
    if (earlier === undefined || (earlier.end === "unsettled" && receipt.end !== "unsettled")) receipts.set(name, receipt);
  }
  return receipts;
}

function nameOf(tenantId: string, requestId: string): string {
  return `${tenantId}\n${requestId}`;
}
