import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Receipt } from "../../../ledger/receipt.ts";

/** One row of a provider's export. */
export interface ProviderRow {
  /** The provider's own id of the request; empty where the row has none. */
  readonly id: string;
  /** `YYYY-MM-DD` in UTC; empty where the file has no dates. */
  readonly day: string;
  /** As our receipts name it. */
  readonly deployment: string;
  readonly input: bigint;
  readonly output: bigint;
  readonly nanoUsd: bigint;
}

/** What the file tells, so that nothing else is compared. */
export interface Compared {
  readonly input: boolean;
  readonly output: boolean;
  readonly cost: boolean;
  /** Micro-USD that a request's cost may differ by. */
  readonly tolerance: number;
}

export interface Side {
  readonly input: number | null;
  readonly output: number | null;
  readonly costMicroUsd: number;
}

export interface Difference {
  /** `differs`: both have the request. `no_receipt`, `not_billed`: one of them has it. `day_differs`: sums of a day and deployment do. */
  readonly kind: "differs" | "no_receipt" | "not_billed" | "day_differs";
  readonly upstreamRequestId: string | null;
  readonly requestId: string | null;
  readonly tenant: string | null;
  readonly day: string | null;
  readonly deployment: string | null;
  readonly receipt: Side | null;
  readonly provider: Side | null;
}

interface Row {
  readonly kind: Difference["kind"];
  readonly id: string | null;
  readonly request_id: string | null;
  readonly tenant: string | null;
  readonly day: string | null;
  readonly deployment: string | null;
  readonly ours: number;
  readonly theirs: number;
  readonly our_input: number | null;
  readonly our_output: number | null;
  readonly our_cost: number | null;
  readonly their_input: number | null;
  readonly their_output: number | null;
  readonly their_cost: number | null;
}

/**
 * Both sides in a temporary database on disk, because either may be longer than the memory is: the file is read once, and
 * compared where they lie. Rows with an id are compared by request; rows without one, by day and deployment with the
 * receipts that no row names.
 */
export class ProviderBooks {
  readonly #database = new DatabaseSync("");
  readonly #statements = new Map<string, StatementSync>();
  #pending = 0;

  constructor() {
    this.#database.exec(`
      CREATE TABLE receipt (upstream_id TEXT, request_id TEXT, tenant TEXT, day TEXT, deployment TEXT, inside INTEGER, input INTEGER, output INTEGER, cost INTEGER, billed INTEGER);
      CREATE INDEX receipt_by_upstream ON receipt (upstream_id);
      CREATE TABLE request (id TEXT PRIMARY KEY, day TEXT, deployment TEXT, input INTEGER, output INTEGER, nano_usd INTEGER) WITHOUT ROWID;
      CREATE TABLE day (day TEXT, deployment TEXT, input INTEGER, output INTEGER, nano_usd INTEGER, PRIMARY KEY (day, deployment)) WITHOUT ROWID;
      BEGIN`);
  }

  /** `inside`: whether it belongs to the period, or is there for a row that the provider dates otherwise. */
  addReceipt(receipt: Receipt, inside: boolean): void {
    const { evidence, usage } = receipt;
    this.#run(
      "INSERT INTO receipt VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      evidence.upstreamRequestId ?? null,
      receipt.requestId,
      receipt.tenantId,
      new Date(receipt.startedAtMs).toISOString().slice(0, 10),
      receipt.deployment ?? "",
      inside ? 1 : 0,
      usage.inputTokens ?? null,
      usage.outputTokens ?? null,
      receipt.costMicroUsd,
      // What no upstream worked on, or only to fail, no provider bills.
      receipt.usageSource === "none" ? 0 : 1,
    );
  }

  /** Several rows of one request, or of one day and deployment, add up: some providers have a row a meter. */
  addRow({ id, day, deployment, input, output, nanoUsd }: ProviderRow): void {
    const sum = "input = input + excluded.input, output = output + excluded.output, nano_usd = nano_usd + excluded.nano_usd";
    if (id !== "")
      this.#run(
        `INSERT INTO request VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET ${sum}`,
        id,
        day,
        deployment,
        input,
        output,
        nanoUsd,
      );
    else
      this.#run(
        `INSERT INTO day VALUES (?, ?, ?, ?, ?) ON CONFLICT (day, deployment) DO UPDATE SET ${sum}`,
        day,
        deployment,
        input,
        output,
        nanoUsd,
      );
  }

  /** Every difference, requests first. */
  *differences(compared: Compared): Generator<Difference, void> {
    this.#database.exec("COMMIT; BEGIN");
    for (const row of this.#database.prepare(comparison).iterate() as Iterable<Row>) {
      if (row.kind === "differs" || row.kind === "day_differs") {
        if (!isDifferent(row, compared)) continue;
      }
      yield differenceOf(row);
    }
  }

  close(): void {
    this.#database.close();
  }

  #run(sql: string, ...values: (string | number | bigint | null)[]): void {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)));
    statement.run(...values);
    // One transaction for all would grow its own log beside the data.
    if (++this.#pending % 50_000 === 0) this.#database.exec("COMMIT; BEGIN");
  }
}

/** Nano-USD are rounded up once, as receipts are. An unknown count of ours makes the sum unknown. */
const theirs = "t.input AS their_input, t.output AS their_output, (t.nano_usd + 999) / 1000 AS their_cost";
const ours = `count(*) AS ours, iif(count(r.input) = count(*), sum(r.input), NULL) AS our_input,
  iif(count(r.output) = count(*), sum(r.output), NULL) AS our_output, sum(r.cost) AS our_cost`;
const nothing = "0 AS ours, NULL AS our_input, NULL AS our_output, NULL AS our_cost";

const comparison = `
  WITH unnamed AS MATERIALIZED (
    SELECT * FROM receipt r WHERE r.inside = 1 AND r.billed = 1
      AND (r.upstream_id IS NULL OR NOT EXISTS (SELECT 1 FROM request t WHERE t.id = r.upstream_id))
  )
  SELECT 'differs' AS kind, t.id AS id, min(r.request_id) AS request_id, min(r.tenant) AS tenant, min(r.day) AS day, min(r.deployment) AS deployment, 1 AS theirs, ${ours}, ${theirs}
    FROM request t JOIN receipt r ON r.upstream_id = t.id GROUP BY t.id
  UNION ALL
  SELECT 'no_receipt', t.id, NULL, NULL, t.day, t.deployment, 1, ${nothing}, ${theirs}
    FROM request t WHERE NOT EXISTS (SELECT 1 FROM receipt r WHERE r.upstream_id = t.id)
  UNION ALL
  SELECT 'not_billed', r.upstream_id, r.request_id, r.tenant, r.day, r.deployment, 0, 1, r.input, r.output, r.cost, NULL, NULL, NULL
    FROM unnamed r WHERE NOT EXISTS (SELECT 1 FROM day)
  UNION ALL
  SELECT 'day_differs', NULL, NULL, NULL, t.day, t.deployment, 1, count(r.request_id), iif(count(r.input) = count(r.request_id), coalesce(sum(r.input), 0), NULL),
      iif(count(r.output) = count(r.request_id), coalesce(sum(r.output), 0), NULL), coalesce(sum(r.cost), 0), ${theirs}
    FROM day t LEFT JOIN unnamed r ON r.day = t.day AND r.deployment = t.deployment GROUP BY t.day, t.deployment
  UNION ALL
  SELECT 'day_differs', NULL, NULL, NULL, r.day, r.deployment, 0, ${ours}, 0, 0, 0
    FROM unnamed r WHERE EXISTS (SELECT 1 FROM day) AND NOT EXISTS (SELECT 1 FROM day t WHERE t.day = r.day AND t.deployment = r.deployment)
    GROUP BY r.day, r.deployment`;

function isDifferent(row: Row, { input, output, cost, tolerance }: Compared): boolean {
  if (input && row.our_input !== row.their_input) return true;
  if (output && row.our_output !== row.their_output) return true;
  return cost && Math.abs((row.our_cost ?? 0) - (row.their_cost ?? 0)) > tolerance * Math.max(1, row.ours);
}

function differenceOf(row: Row): Difference {
  const { kind, id, request_id: requestId, tenant, day, deployment } = row;
  const receipt = row.ours === 0 ? null : { input: row.our_input, output: row.our_output, costMicroUsd: row.our_cost ?? 0 };
  const provider =
    row.theirs === 0 ? null : { input: row.their_input, output: row.their_output, costMicroUsd: row.their_cost ?? 0 };
  return {
    kind,
    upstreamRequestId: id,
    requestId,
    tenant,
    day: day === "" ? null : day,
    deployment: deployment === "" ? null : deployment,
    receipt,
    provider,
  };
}
