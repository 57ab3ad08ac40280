import { longestAdmissionMs, type OpenReservation, type ScanQuery } from "../../ledger/journal-reader.ts";
import { noIntent } from "../../quota/store.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { beganAtMs } from "../../request-id.ts";
import type { SqlDatabase, SqlValue } from "./database.ts";

interface OpenRow {
  readonly id: string;
  readonly tokens: number;
  readonly micro_usd: number;
  readonly intent: string;
}

/** Open or expired, and in any case not yet in the journal. */
const awaited = "state IN (0, 1)";

/** The index gives the order by time; only receipts of one millisecond are sorted. */
const scanTenant = `SELECT document FROM receipt INDEXED BY receipt_by_start
  WHERE tenant_id = ? AND started_at_ms >= ? AND started_at_ms < ? AND (started_at_ms, request_id, tenant_id) > (?, ?, ?)
  ORDER BY started_at_ms, request_id LIMIT ?`;

const scanAll = `SELECT document FROM receipt_order AS place CROSS JOIN receipt ON receipt.sequence = place.sequence
  WHERE place.started_at_ms >= ? AND place.started_at_ms < ? AND (receipt.started_at_ms, request_id, tenant_id) > (?, ?, ?)
  ORDER BY place.started_at_ms, request_id, tenant_id LIMIT ?`;

/** The journal's reading side on SQLite, save for sums. Only reads: what was committed is all that there is. */
export class SqlJournalReader {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Across tenants it finds what was taken into the order of all: the owner sees to that first. */
  scan({ tenantId, fromMs, toMs, after, count }: ScanQuery): Receipt[] {
    // No receipt has an empty id, so this stands right before the period's first.
    const begin =
      after !== undefined && after.startedAtMs >= fromMs ? after : { startedAtMs: fromMs, requestId: "", tenantId: "" };
    const bounds: SqlValue[] = [begin.startedAtMs, toMs, begin.startedAtMs, begin.requestId, begin.tenantId];
    const rows =
      tenantId === undefined
        ? this.#database.all<{ document: string }>(scanAll, ...bounds, count)
        : this.#database.all<{ document: string }>(scanTenant, tenantId, ...bounds, count);
    return rows.map(({ document }) => JSON.parse(document) as Receipt);
  }

  completeUntilMs(nowMs: number): number {
    // A request's id begins with the time at which it began, so the least id is that of the oldest.
    const [oldest] = this.#database.all<{ id: string | null }>(`SELECT min(id) AS id FROM reservation WHERE ${awaited}`);
    const settledMs = nowMs - longestAdmissionMs;
    return oldest?.id === null || oldest === undefined ? settledMs : Math.min(settledMs, beganAtMs(oldest.id));
  }

  /** All reservations whose receipt is not yet in the journal, those of slices too. */
  awaited(): { readonly tenantId: string; readonly id: string }[] {
    return this.#database.all<{ tenantId: string; id: string }>(
      `SELECT tenant_id AS "tenantId", id FROM reservation WHERE ${awaited}`,
    );
  }

  open(tenantId: string): OpenReservation[] {
    const rows = this.#database.all<OpenRow>(
      `SELECT id, tokens, micro_usd, intent FROM reservation WHERE tenant_id = ? AND ${awaited} AND intent <> ?`,
      tenantId,
      noIntent,
    );
    return rows.map(({ id, tokens, micro_usd: microUsd, intent }) => {
      const { keyId, model, startedAtMs } = JSON.parse(intent) as Receipt;
      return { requestId: id, keyId, model, startedAtMs, tokens, microUsd };
    });
  }
}
