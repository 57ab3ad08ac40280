import type { Settlement } from "../quota/store.ts";
import type { Receipt, RefusalReceipt } from "./receipt.ts";

/** The append-only store of receipts. */
export interface Journal {
  /**
   * Durable when it resolves; idempotent by request id. A receipt whose end is `unsettled` gives way to one that knows
   * more, which then names it in `corrects`; any other stays as it is.
   */
  append(receipt: Receipt): Promise<void>;
  find(tenantId: string, requestId: string): Promise<Receipt | undefined>;
  /** Newest first, those that began before `beforeMs`. */
  list(tenantId: string, beforeMs: number | undefined, count: number): Promise<readonly Receipt[]>;
  /** The receipt of the exchange that made this response, for what refers to it later. */
  findResponse(tenantId: string, responseId: string): Promise<Receipt | undefined>;
}

/**
 * The records of what was refused before anything was held: part of the same log, and apart from the receipts, so that no
 * sum of use or money can count them.
 */
export interface RefusalJournal {
  /** Durable when it resolves; idempotent by request id. */
  append(refusal: RefusalReceipt): Promise<void>;
  find(tenantId: string, requestId: string): Promise<RefusalReceipt | undefined>;
}

/**
 * Closes an exchange: its receipt is written, then its reservation settled. Never the other way: a crash between the
 * two leaves a reservation that expires into a receipt that is already there, and loses nothing. A store that holds
 * both does it in one transaction.
 */
export interface Books {
  close(receipt: Receipt, settlement: Settlement): Promise<void>;
}
