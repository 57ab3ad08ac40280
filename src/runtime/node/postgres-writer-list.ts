import type { JournalWriters, KnownWriter } from "../../ledger/journal-writers.ts";
import { isStorable } from "./postgres-text.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

/** What is older lies in no period that a limit counts, in whichever time zone: the longest are months. */
const list: Statement = {
  name: "writer-list",
  text: `SELECT id, (extract(epoch FROM seen_at) * 1000)::bigint AS seen_at_ms, complete_until_ms
    FROM strait.journal_writer WHERE seen_at > now() - interval '33 days' ORDER BY id`,
};

const dismiss: Statement = {
  name: "writer-dismiss",
  text: "DELETE FROM strait.journal_writer WHERE id = $1 RETURNING id",
};

interface Row {
  readonly id: string;
  readonly seen_at_ms: string;
  readonly complete_until_ms: string;
}

/** The writers as PostgreSQL has them, which outlives what they count on. */
export class PostgresWriterList implements JournalWriters {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async list(): Promise<readonly KnownWriter[]> {
    const rows = await this.#pool.repeatable<Row>(list, []);
    return rows.map((row) => ({
      id: row.id,
      seenAtMs: Number(row.seen_at_ms),
      completeUntilMs: Number(row.complete_until_ms),
    }));
  }

  async dismiss(id: string): Promise<boolean> {
    if (!isStorable(id)) return false;
    return (await this.#pool.once(dismiss, [id])).length > 0;
  }
}
