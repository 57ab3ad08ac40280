import type { RetentionStore } from "../../retention/retention-store.ts";
import type { MerkleHasher } from "../../transparency/merkle.ts";
import { receiptRecords, refusalRecords } from "./postgres-logged-records.ts";
import { auditRecords, keyUseRecords, usageRecords } from "./postgres-plain-records.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

/** By the server's clock: those of replicas differ, and one that is ahead would keep the turn from all others. */
const take: Statement = {
  name: "retention-turn",
  text: `INSERT INTO strait.retention_run AS run (one, at) VALUES (true, now())
    ON CONFLICT (one) DO UPDATE SET at = excluded.at WHERE run.at <= excluded.at - $1 * interval '1 millisecond' RETURNING 1`,
};

/** Retention over what all replicas share. */
export function postgresRetention(pool: PostgresPool, hasher: MerkleHasher): RetentionStore {
  return {
    records: [
      receiptRecords(pool, hasher),
      refusalRecords(pool, hasher),
      keyUseRecords(pool),
      usageRecords(pool),
      auditRecords(pool),
    ],
    takeTurn: async (everyMs) => (await pool.once(take, [everyMs])).length > 0,
  };
}
