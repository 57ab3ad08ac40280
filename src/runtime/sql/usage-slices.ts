import { quarterMs, TooManyGroups, type UsageDimension, type UsageQuery } from "../../ledger/journal-reader.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import { daysBetween } from "../../ledger/usage-days.ts";
import { addSums, noUsage, sumsOf, type UsageGroup, type UsageRow, type UsageSums } from "../../ledger/usage-sums.ts";
import type { SqlDatabase, SqlValue } from "./database.ts";
import { addColumns, readEntry, sumColumns, writeEntry } from "./usage-entry.ts";

/** The columns by which a slice is found. */
export const sliceKey: readonly string[] = ["tenant_id", "quarter", "key_id", "model", "region", "end"];

/** What a slice is apart by, with where each stands in the table. */
const columns = { tenant: "tenant_id", key: "key_id", model: "model", region: "region", end: "end" } as const;

const upsert = `INSERT INTO usage_slice (${sliceKey.join(", ")}, ${sumColumns.join(", ")})
  VALUES (?, ?, ?, ?, ?, ?, ${sumColumns.map(() => "?").join(", ")})
  ON CONFLICT (${sliceKey.join(", ")}) DO UPDATE SET ${sumColumns.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")}`;

/** Receipts from before rows had entries are read as they are. */
const nextRows = `SELECT sequence, tenant_id, started_at_ms, usage, CASE WHEN usage IS NULL AND unsettled = 0 THEN document END AS document
  FROM receipt WHERE sequence > ? ORDER BY sequence LIMIT ?`;
const orderRows = `INSERT OR IGNORE INTO receipt_order (started_at_ms, sequence)
  SELECT started_at_ms, sequence FROM receipt WHERE sequence > ? AND sequence <= ?`;

interface RolledRow {
  readonly sequence: number;
  readonly tenant_id: string;
  readonly started_at_ms: number;
  readonly usage: string | null;
  readonly document: string | null;
}

/** A slice as its row is: `sliceKey`, and sums by their columns. */
export type SliceRow = Readonly<Record<string, string | number>>;

/** Across tenants, so much of a period is summed in one go: the more as long as there is little in it. */
const firstStepMs = 3_600_000;
const fewRows = 200;
const manyRows = 2_000;

/**
 * Sums over receipts, kept a quarter of an hour: whoever asks for a month must not read a million documents. A question is
 * answered from the slices, from the receipts that are not in them yet, and from the unsettled ones.
 */
export class SqlUsage {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Where the journal ends: as far as `progress` can come. */
  last(): number {
    const [row] = this.#database.all<{ last: number | null }>("SELECT max(sequence) AS last FROM receipt");
    return row?.last ?? 0;
  }

  /** Changes whenever slices do. */
  progress(): number {
    const [row] = this.#database.all<{ sequence: number }>("SELECT sequence FROM reading_progress");
    return row?.sequence ?? 0;
  }

  /** Takes the next receipts into the slices and into the order of all, at most `count`; in a transaction of the owner's. */
  roll(count: number): void {
    const progress = this.progress();
    const rows = this.#database.all<RolledRow>(nextRows, progress, count);
    const last = rows.at(-1)?.sequence;
    if (last === undefined) return;
    this.#database.run(orderRows, progress, last);
    const slices = new Map<string, { readonly key: readonly SqlValue[]; sums: readonly number[] }>();
    for (const { tenant_id: tenantId, started_at_ms: startedAtMs, usage, document } of rows) {
      const written = document === null ? usage : writeEntry(JSON.parse(document) as Receipt);
      // It comes again, at the end, once more is known of it.
      if (written === null) continue;
      const { keyId, model, region, end, sums } = readEntry(written);
      const key = [tenantId, Math.floor(startedAtMs / quarterMs), keyId, model, region, end];
      const name = JSON.stringify(key);
      const slice = slices.get(name);
      if (slice === undefined) slices.set(name, { key, sums });
      else slice.sums = addColumns(slice.sums, sums);
    }
    for (const { key, sums } of slices.values()) this.#database.run(upsert, ...key, ...sums);
    this.#database.run("UPDATE reading_progress SET sequence = ?", last);
  }

  /** The slices that receipts are in, as they stand. */
  slicesOf(receipts: readonly Receipt[]): readonly SliceRow[] {
    const keys = new Map(receipts.map((receipt) => [JSON.stringify(keyOf(receipt)), keyOf(receipt)]));
    const sql = `SELECT * FROM usage_slice WHERE ${sliceKey.map((column) => `${column} = ?`).join(" AND ")}`;
    return [...keys.values()].flatMap((key) => this.#database.all<SliceRow>(sql, ...key));
  }

  /** All slices of a tenant's quarters of an hour. */
  slicesIn(tenantId: string, quarters: readonly number[]): readonly SliceRow[] {
    const sql = "SELECT * FROM usage_slice WHERE tenant_id = ? AND quarter IN (SELECT value FROM json_each(?))";
    return this.#database.all<SliceRow>(sql, tenantId, JSON.stringify(quarters));
  }

  /** What the slices say, in steps: between two of them other work may be done. */
  *sliced(query: UsageQuery, groups: UsageGroups): Generator<void, void> {
    const by = query.by.filter((dimension) => dimension !== "day");
    let step = query.tenantId === undefined ? firstStepMs : query.toMs - query.fromMs;
    for (const { day, fromMs, toMs } of query.by.includes("day")
      ? daysBetween(query.fromMs, query.toMs, query.timeZone)
      : [{ day: "", ...query }]) {
      for (let atMs = fromMs; atMs < toMs;) {
        const endMs = Math.min(toMs, atMs + step);
        const rows = this.#slices(query.tenantId, atMs, endMs, by);
        for (const row of rows) groups.add(groupOf(row, by, query.by, day), read(row));
        atMs = endMs;
        if (rows.length < fewRows) step *= 2;
        else if (rows.length > manyRows && step > quarterMs) step = Math.ceil(step / quarterMs / 2) * quarterMs;
        yield;
      }
    }
  }

  /** What is in no slice yet, or not for good: in one transaction with a look at `progress`. */
  unsliced({ tenantId, fromMs, toMs, timeZone, by, most }: UsageQuery): readonly UsageRow[] {
    const groups = new UsageGroups(most);
    const progress = this.progress();
    const ofTenant = tenantId === undefined ? "" : "AND tenant_id = ?";
    const bounds: SqlValue[] = tenantId === undefined ? [progress, fromMs, toMs] : [progress, fromMs, toMs, tenantId];
    const period = `started_at_ms >= ? AND started_at_ms < ? ${ofTenant}`;
    const days = by.includes("day") ? [...daysBetween(fromMs, toMs, timeZone)] : [];
    for (const sql of [
      `SELECT document FROM receipt NOT INDEXED WHERE sequence > ? AND ${period}`,
      `SELECT document FROM receipt INDEXED BY receipt_unsettled WHERE unsettled = 1 AND sequence <= ? AND ${period}`,
    ]) {
      for (const { document } of this.#database.all<{ document: string }>(sql, ...bounds)) {
        const receipt = JSON.parse(document) as Receipt;
        const day = days.find((candidate) => receipt.startedAtMs < candidate.toMs)?.day;
        groups.add(groupOfReceipt(receipt, by, day), sumsOf(receipt));
      }
    }
    return groups.rows;
  }

  /** The answer in one go, where nobody else waits meanwhile. */
  whole(query: UsageQuery): readonly UsageRow[] {
    const groups = new UsageGroups(query.most);
    const steps = this.sliced(query, groups);
    while (steps.next().done !== true);
    for (const { group, sums } of this.unsliced(query)) groups.add(group, sums);
    return groups.rows;
  }

  #slices(tenantId: string | undefined, fromMs: number, toMs: number, by: readonly Exclude<UsageDimension, "day">[]): SliceRow[] {
    const grouped = by.map((dimension) => columns[dimension]).join(", ");
    const sums = sumColumns.map((name) => `sum(${name}) AS ${name}`).join(", ");
    const [index, where] = tenantId === undefined ? ["INDEXED BY usage_slice_by_time", ""] : ["", "AND tenant_id = ?"];
    const sql = `SELECT ${grouped === "" ? "" : `${grouped}, `}${sums} FROM usage_slice ${index} WHERE quarter >= ? AND quarter < ? ${where}
      ${grouped === "" ? "HAVING count(*) > 0" : `GROUP BY ${grouped}`}`;
    const bounds: SqlValue[] = [fromMs / quarterMs, toMs / quarterMs];
    return this.#database.all<SliceRow>(sql, ...bounds, ...(tenantId === undefined ? [] : [tenantId]));
  }
}

/** Sums by group; bounded, because who asks chooses how fine they are. */
export class UsageGroups {
  readonly #rows = new Map<string, { readonly group: UsageGroup; sums: UsageSums }>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get rows(): readonly UsageRow[] {
    return [...this.#rows.values()];
  }

  /** Equal groups have their members in one order. */
  add(group: UsageGroup, sums: UsageSums): void {
    const name = JSON.stringify(Object.entries(group));
    const row = this.#rows.get(name);
    if (row !== undefined) row.sums = addSums(row.sums, sums);
    else if (this.#rows.size >= this.#most) throw new TooManyGroups(this.#most);
    else this.#rows.set(name, { group, sums });
  }
}

function keyOf({ tenantId, startedAtMs, keyId, model, region, end }: Receipt): readonly SqlValue[] {
  return [tenantId, Math.floor(startedAtMs / quarterMs), keyId, model, region ?? "", end];
}

function groupOf(
  row: SliceRow,
  by: readonly Exclude<UsageDimension, "day">[],
  asked: readonly UsageDimension[],
  day: string,
): UsageGroup {
  const values = new Map<UsageDimension, string | undefined>(by.map((dimension) => [dimension, text(row[columns[dimension]])]));
  values.set("day", day);
  return Object.fromEntries(asked.map((dimension) => [dimension, values.get(dimension)]));
}

function groupOfReceipt(receipt: Receipt, asked: readonly UsageDimension[], day: string | undefined): UsageGroup {
  const { tenantId: tenant, keyId: key, model, region, end } = receipt;
  const values = { day, tenant, key, model, region, end };
  return Object.fromEntries(asked.map((dimension) => [dimension, values[dimension]]));
}

function text(value: string | number | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : String(value);
}

function read(row: SliceRow): UsageSums {
  const number = (name: string): number => Number(row[name] ?? 0);
  const five = (suffix: string): UsageSums["tokens"] => ({
    inputTokens: number(`input${suffix}`),
    cachedInputTokens: number(`cached_input${suffix}`),
    cacheWriteTokens: number(`cache_write${suffix}`),
    outputTokens: number(`output${suffix}`),
    reasoningTokens: number(`reasoning${suffix}`),
  });
  return {
    ...noUsage,
    requests: number("requests"),
    refused: number("refused"),
    tokens: five(""),
    unknown: five("_unknown"),
    chargedTokens: number("charged_tokens"),
    costMicroUsd: number("cost_micro_usd"),
  };
}
