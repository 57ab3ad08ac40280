import type { Clock } from "../../clock.ts";
import type { RetentionStore } from "../../retention/retention-store.ts";
import { MerkleHasher } from "../../transparency/merkle.ts";
import { takeRetentionTurn } from "../sql/retention/retention-run.ts";
import { SqlLoggedRecords } from "../sql/retention/sql-logged-records.ts";
import { auditRecords, keyUseRecords, usageRecords } from "../sql/retention/sql-plain-records.ts";
import { recordsOn } from "../sql/retention/sql-records.ts";
import { SqlTree } from "../sql/tree.ts";
import { SqlUsage } from "../sql/usage-slices.ts";
import { hashes } from "./hashes.ts";
import type { SqliteBatcher } from "./sqlite-batcher.ts";
import { asStoreError, type SqliteDatabase } from "./sqlite-database.ts";

/** Retention over the embedded files. Deleting from the ledger goes through the batcher, as all that is written there. */
export function sqliteRetention(
  ledger: SqliteDatabase,
  tenants: SqliteDatabase,
  batcher: SqliteBatcher,
  clock: Pick<Clock, "nowMs">,
): RetentionStore {
  const tree = new SqlTree(ledger, new MerkleHasher(hashes.sha256Bytes));
  const usage = new SqlUsage(ledger);
  const summedUp = (): number => usage.progress();
  const all = (): number => Number.MAX_SAFE_INTEGER;
  const onLedger = [
    new SqlLoggedRecords(ledger, tree, "receipt", summedUp),
    new SqlLoggedRecords(ledger, tree, "receipt_earlier", all),
    new SqlLoggedRecords(ledger, tree, "refusal", all),
    keyUseRecords(ledger),
    usageRecords(ledger),
  ].map((records) => recordsOn(records, attempt, (work) => batcher.run(work)));
  const audit = recordsOn(auditRecords(tenants), attempt, (work) => attempt(() => tenants.transact(work)));
  return {
    records: [...onLedger, audit],
    takeTurn: (everyMs) => batcher.run(() => takeRetentionTurn(ledger, clock.nowMs(), everyMs)),
  };
}

async function attempt<Result>(work: () => Result): Promise<Result> {
  try {
    return work();
  } catch (error) {
    throw asStoreError(error);
  }
}
