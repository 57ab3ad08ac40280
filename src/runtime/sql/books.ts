import type { Receipt } from "../../ledger/receipt.ts";
import type { Settlement } from "../../quota/store.ts";
import type { SqlJournal } from "./journal.ts";
import type { SqlQuota } from "./quota.ts";

/** Closes an exchange inside the owner's transaction: the receipt and the settlement stand together or not at all. */
export function closeBooks(journal: SqlJournal, quota: SqlQuota, receipt: Receipt, settlement: Settlement, nowMs: number): void {
  journal.append(receipt);
  quota.settle(settlement, nowMs);
}
