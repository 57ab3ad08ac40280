import { longestAdmissionMs, type OpenReservation, type ScanQuery } from "../../ledger/journal-reader.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import type { SqlDatabase, SqlValue } from "./database.ts";

interface OpenRow {
  readonly id: string;
  readonly tokens: number;
  readonly micro_usd: number;
  readonly intent: string;
}

/** Open or expired, and in any case not yet in the journal. */
const awaited = "state IN (0, 1)";

/** The journal's reading side on SQLite, save for sums. Only reads: what was committed is all that there is. */
export class SqlJournalReader {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  scan({ tenantId, fromMs, toMs, after, count }: ScanQuery): Receipt[] {
    // No receipt has an empty id, so this stands right before the period's first.
    const begin = after !== undefined && after.startedAtMs >= fromMs ? after : { startedAtMs: fromMs, requestId: "", tenantId: "" };
    const bounds: SqlValue[] = [begin.startedAtMs, toMs, begin.startedAtMs, begin.requestId, begin.tenantId];
    const where = "started_at_ms >= ? AND started_at_ms < ? AND (started_at_ms, request_id, tenant_id) > (?, ?, ?)";
    const order = "ORDER BY started_at_ms, request_id, tenant_id LIMIT ?";
    const rows =
      tenantId === undefined
        ? this.#database.all<{ document: string }>(`SELECT document FROM receipt INDEXED BY receipt_by_time WHERE ${where} ${order}`, ...bounds, count)
        : this.#database.all<{ document: string }>(
            `SELECT document FROM receipt INDEXED BY receipt_by_start WHERE tenant_id = ? AND ${where} ${order}`,
            tenantId,
            ...bounds,
            count,
          );
    return rows.map(({ document }) => JSON.parse(document) as Receipt);
  }

  completeUntilMs(nowMs: number): number {
    // A request's id begins with the time at which it began, so the least id is that of the oldest.
    const [oldest] = this.#database.all<{ id: string | null }>(`SELECT min(id) AS id FROM reservation WHERE ${awaited}`);
    const settledMs = nowMs - longestAdmissionMs;
    return oldest?.id === null || oldest === undefined ? settledMs : Math.min(settledMs, beganAtMs(oldest.id));
  }

  open(tenantId: string): OpenReservation[] {
    const rows = this.#database.all<OpenRow>(`SELECT id, tokens, micro_usd, intent FROM reservation WHERE tenant_id = ? AND ${awaited}`, tenantId);
    return rows.map(({ id, tokens, micro_usd: microUsd, intent }) => {
      const { keyId, model, startedAtMs } = JSON.parse(intent) as Receipt;
      return { requestId: id, keyId, model, startedAtMs, tokens, microUsd };
    });
  }
}

/** An id of another form hides when its request began, so nothing counts as complete. */
function beganAtMs(requestId: string): number {
  return Number.parseInt(/^req_([0-9a-f]{12})/.exec(requestId)?.[1] ?? "0", 16);
}
