import { canonicalJson } from "../../canonical-json.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import type { InJournal, LogEntry, LogPlace, LogStore, StoredCheckpoint } from "../../transparency/log-store.ts";
import type { MerkleHasher } from "../../transparency/merkle.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";
import { isStorable } from "./postgres-text.ts";
import { growth, growTree, readTile, readTreeState } from "./postgres-tree-growth.ts";

const waiting: Statement = {
  name: "log-waiting",
  text: "SELECT sequence, document FROM strait.log_entry WHERE leaf_index IS NULL ORDER BY sequence LIMIT $1",
};

const take: Statement = {
  name: "log-take",
  text: `${growTree}, placed AS (
      UPDATE strait.log_entry SET leaf_index = $1::bigint + place - 1
      FROM unnest($6::bigint[]) WITH ORDINALITY AS taken (taken_sequence, place)
      WHERE sequence = taken_sequence AND EXISTS (SELECT FROM grown)
    )
    SELECT size FROM grown`,
};

const place: Statement = {
  name: "log-place",
  text: `SELECT leaf_index, entry.document, refused, receipt.unsettled FROM strait.log_entry AS entry
    LEFT JOIN strait.receipt USING (tenant_id, request_id)
    WHERE tenant_id = $1 AND request_id = $2 ORDER BY sequence DESC LIMIT 1`,
};

const isReceipt: Statement = {
  name: "log-receipt",
  text: "SELECT FROM strait.receipt WHERE tenant_id = $1 AND request_id = $2",
};

/** The journal has a receipt as its last entry says, for as long as that entry has its document; refusals are in the log alone. */
const entries: Statement = {
  name: "log-entries",
  text: `SELECT leaf_index, entry.document, forgotten, receipt.document AS journal,
      tenant_id <> '*' AND NOT refused AND forgotten IS NULL AND NOT EXISTS (
        SELECT FROM strait.log_entry AS later WHERE later.tenant_id = entry.tenant_id
          AND later.request_id = entry.request_id AND later.sequence > entry.sequence AND NOT later.refused
      ) AS in_journal
    FROM strait.log_entry AS entry LEFT JOIN strait.receipt USING (tenant_id, request_id)
    WHERE leaf_index >= $1 AND leaf_index < $2`,
};

const newestCheckpoint: Statement = {
  name: "log-checkpoint",
  text: "SELECT size, at_ms, note FROM strait.log_checkpoint ORDER BY size DESC LIMIT 1",
};

const checkpointFrom: Statement = {
  name: "log-checkpoint-from",
  text: "SELECT size, at_ms, note FROM strait.log_checkpoint WHERE size >= $1 ORDER BY size LIMIT 1",
};

const keep: Statement = {
  name: "log-checkpoint-keep",
  text: "INSERT INTO strait.log_checkpoint (size, at_ms, note) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING",
};

interface WaitingRow {
  readonly sequence: string;
  readonly document: string;
}

interface EntryRow {
  readonly leaf_index: string;
  readonly document: string | null;
  readonly forgotten: string | null;
  readonly journal: object | null;
  /** Whether the journal must have it. */
  readonly in_journal: boolean;
}

interface PlaceRow {
  readonly leaf_index: string | null;
  readonly document: string | null;
  readonly refused: boolean;
  readonly unsettled: boolean | null;
}

/**
 * The tree of all replicas' receipts and refusals. Each entry says whether it was taken in, so that one which is committed
 * late, behind others that were written after it, is taken in late and is not passed over; and a transaction that stays
 * open holds up nobody.
 */
export class PostgresTree implements LogStore {
  readonly #pool: PostgresPool;
  readonly #hasher: MerkleHasher;

  constructor(pool: PostgresPool, hasher: MerkleHasher) {
    this.#pool = pool;
    this.#hasher = hasher;
  }

  async origin(): Promise<string> {
    return `strait/${(await readTreeState(this.#pool)).id}`;
  }

  async size(): Promise<number> {
    return (await readTreeState(this.#pool)).size;
  }

  async integrate(most: number): Promise<number> {
    for (;;) {
      // In this order: what was taken in after the size was read makes the size another, and nothing is written.
      const { size } = await readTreeState(this.#pool);
      const rows = await this.#pool.repeatable<WaitingRow>(waiting, [most]);
      if (rows.length === 0) return 0;
      const documents = rows.map(({ document }) => document);
      // May be repeated where a connection broke: done already, it finds another size and the next round goes on from there.
      const grown = await this.#pool.repeatable(take, [
        ...(await growth(this.#pool, this.#hasher, size, documents)),
        rows.map(({ sequence }) => sequence),
      ]);
      if (grown.length > 0) return rows.length;
    }
  }

  tile(level: number, index: number): Promise<Uint8Array> {
    return readTile(this.#pool, level, index);
  }

  async place(tenantId: string, requestId: string): Promise<LogPlace> {
    if (!isStorable(tenantId) || !isStorable(requestId)) return { kind: "absent" };
    const [row] = await this.#pool.repeatable<PlaceRow>(place, [tenantId, requestId]);
    if (row === undefined) {
      const receipts = await this.#pool.repeatable(isReceipt, [tenantId, requestId]);
      return { kind: receipts.length > 0 ? "before_log" : "absent" };
    }
    if (row.document === null) return { kind: "absent" };
    if (isOutdated(row.document, row)) return { kind: "before_log" };
    if (row.leaf_index === null) return { kind: "waiting" };
    return { kind: "in_tree", leafIndex: Number(row.leaf_index), document: row.document };
  }

  async entries(from: number, count: number): Promise<readonly LogEntry[]> {
    const end = Math.min(await this.size(), from + count);
    const rows = await this.#pool.repeatable<EntryRow>(entries, [from, end]);
    const byLeaf = new Map(rows.map((row) => [Number(row.leaf_index), row]));
    return Array.from({ length: Math.max(0, end - from) }, (_, offset) => {
      const row = byLeaf.get(from + offset);
      return {
        leafIndex: from + offset,
        document: row?.document ?? undefined,
        forgotten: row?.forgotten ?? undefined,
        // A write that failed or came twice has used up a number as well.
        droppedBefore: undefined,
        inJournal: row?.in_journal === true ? inJournal(row) : "same",
      };
    });
  }

  async checkpoint(size?: number): Promise<StoredCheckpoint | undefined> {
    const [row] = await this.#pool.repeatable<{ size: string; at_ms: string; note: string }>(
      size === undefined ? newestCheckpoint : checkpointFrom,
      size === undefined ? [] : [size],
    );
    return row === undefined ? undefined : { size: Number(row.size), atMs: Number(row.at_ms), note: row.note };
  }

  async keepCheckpoint({ size, atMs, note }: StoredCheckpoint): Promise<void> {
    await this.#pool.repeatable(keep, [size, atMs, note]);
  }
}

/** The server keeps JSON in a form of its own, hence the comparison by the canonical one. */
function inJournal({ document, journal }: EntryRow): InJournal {
  if (journal === null) return "dropped";
  // Without its document the log has nothing to compare, and that is another fault.
  return document === null || canonicalJson(journal) === document ? "same" : "changed";
}

/** A replica from before there was a log may settle what this log has as unsettled: then the journal knows more than the log. */
function isOutdated(document: string, { refused, unsettled }: PlaceRow): boolean {
  return !refused && unsettled === false && (JSON.parse(document) as Receipt).end === "unsettled";
}
