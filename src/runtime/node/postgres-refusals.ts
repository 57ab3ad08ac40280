import type { RefusalJournal } from "../../ledger/journal.ts";
import type { RefusalReceipt } from "../../ledger/receipt.ts";
import { PostgresBatch } from "./postgres-batch.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { isStorable, storableRecord } from "./postgres-text.ts";

interface Append {
  readonly refusal: RefusalReceipt;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** In order of the key, for the reason that receipts are. */
const append: Statement = {
  name: "refusal-append",
  text: `INSERT INTO strait.log_entry (tenant_id, request_id, refused, document)
    SELECT one->>'tenantId', one->>'requestId', true, line
    FROM string_to_table($1, E'\\n') AS line, LATERAL CAST(line AS jsonb) AS one
    ORDER BY one->>'tenantId' COLLATE "C", one->>'requestId' COLLATE "C"
    ON CONFLICT (tenant_id, request_id) WHERE refused DO NOTHING`,
};

const find: Statement = {
  name: "refusal-find",
  text: "SELECT document FROM strait.log_entry WHERE tenant_id = $1 AND request_id = $2 AND refused AND document IS NOT NULL",
};

const lanes = 2;
const mostRefusals = 500;

/** The records of refusals in PostgreSQL: entries of the log, and nothing else. */
export class PostgresRefusals implements RefusalJournal {
  readonly #pool: PostgresPool;
  readonly #batch: PostgresBatch<Append>;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
    this.#batch = new PostgresBatch((appends) => this.#write(appends), lanes, mostRefusals);
  }

  append(refusal: RefusalReceipt): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#batch.add({ refusal, resolve, reject });
    });
  }

  async find(tenantId: string, requestId: string): Promise<RefusalReceipt | undefined> {
    if (!isStorable(tenantId) || !isStorable(requestId)) return undefined;
    const [row] = await this.#pool.repeatable<{ document: string }>(find, [tenantId, requestId]);
    return row === undefined ? undefined : (JSON.parse(row.document) as RefusalReceipt);
  }

  /** Waits for what was asked for. */
  close(): Promise<void> {
    return this.#batch.idle();
  }

  async #write(appends: readonly Append[]): Promise<void> {
    try {
      await this.#pool.repeatable(append, [appends.map(({ refusal }) => storableRecord(refusal)).join("\n")]);
    } catch (error) {
      for (const one of appends) one.reject(error);
      return;
    }
    for (const one of appends) one.resolve();
  }
}
