import type { Journal } from "../../ledger/journal.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { PostgresBatch } from "./postgres-batch.ts";
import { isCallersFault } from "./postgres-error.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { isStorable, storableJson } from "./postgres-text.ts";

interface Append {
  readonly receipt: Receipt;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface DocumentRow {
  readonly document: Receipt;
}

/**
 * One text of all receipts, read once by the server: cheaper for the gateway than to bind each column of each row, and
 * one prepared statement whatever their number. Only an unsettled receipt gives way, and only to one that knows more.
 * In order of the key, so that replicas that report the same requests wait for each other and never in a circle. An
 * index entry has an upper size, and nothing that long is ever asked for.
 */
const append: Statement = {
  name: "receipt-append",
  text: `INSERT INTO strait.receipt (tenant_id, request_id, started_at_ms, response_id, unsettled, document)
    SELECT one->>'tenantId', one->>'requestId', (one->>'startedAtMs')::bigint,
      CASE WHEN length(one->>'responseId') <= 500 THEN one->>'responseId' END, one->>'end' = 'unsettled', one
    FROM jsonb_array_elements($1::jsonb) AS batch (one) ORDER BY one->>'tenantId' COLLATE "C", one->>'requestId' COLLATE "C"
    ON CONFLICT (tenant_id, request_id) DO UPDATE SET started_at_ms = excluded.started_at_ms,
      response_id = excluded.response_id, unsettled = false, document = excluded.document
    WHERE receipt.unsettled AND NOT excluded.unsettled`,
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
  readonly #batch: PostgresBatch<Append>;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
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
      await this.#pool.repeatable(append, [jsonOf(appends)]);
    } catch (error) {
      if (appends.length === 1 || !isCallersFault(error)) for (const one of appends) one.reject(error);
      // One receipt that the database does not take must take no other with it.
      else for (const one of appends) await this.#write([one]);
      return;
    }
    for (const one of appends) one.resolve();
  }
}

/**
 * A statement may change no row twice, so of several receipts of one request the batch carries the one that would have
 * stood had they come one after the other.
 */
function jsonOf(appends: readonly Append[]): string {
  const receipts = new Map<string, Receipt>();
  for (const { receipt } of appends) {
    const name = `${receipt.tenantId}\n${receipt.requestId}`;
    const earlier = receipts.get(name);
    if (earlier === undefined || (earlier.end === "unsettled" && receipt.end !== "unsettled")) receipts.set(name, receipt);
  }
  return `[${Array.from(receipts.values(), storableJson).join(",")}]`;
}
