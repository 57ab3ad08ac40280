import {
  advance,
  amountOf,
  counterKey,
  holdOn,
  judge,
  place,
  scopeOf,
  settleHold,
  settleLate,
  standing,
} from "../../quota/counter.ts";
import type { CounterState, PlacedHold, Verdict } from "../../quota/counter.ts";
import { amountsOf, type Amounts, type AppliedLimit } from "../../quota/limit.ts";
import { admitted, refused, type Judged } from "../../quota/outcome.ts";
import { requireAmounts } from "../../quota/require-amounts.ts";
import type { ExpiredReservation, LimitState, ReservationRequest, ReserveOutcome, Rest, Settlement } from "../../quota/store.ts";
import { CounterGroups, type CounterGroup } from "./counter-groups.ts";
import type { SqlDatabase } from "./database.ts";

type StoredHold = readonly [
  scope: string,
  key: string,
  unit: PlacedHold["unit"],
  window: PlacedHold["window"],
  amount: number,
  mark: number,
];

interface OpenRow {
  readonly tenant_id: string;
  readonly id: string;
  readonly holds: string;
}

interface SettledRow {
  readonly state: number;
  readonly holds: string;
  readonly intent: string;
}

interface ExpiredRow {
  readonly tenant_id: string;
  readonly id: string;
  readonly requests: number;
  readonly tokens: number;
  readonly output_tokens: number;
  readonly micro_usd: number;
  readonly intent: string;
}

/** One limit of a request with the counter that it is judged on. */
interface Opened {
  readonly limit: AppliedLimit;
  readonly key: string;
  readonly group: CounterGroup;
  readonly counter: CounterState;
}

const open = 0;
const expired = 1;
const recorded = 2;

/** How long a recorded reservation waits for the settlement of a gateway that was believed dead. */
const lateSettlementMs = 24 * 3_600_000;

/**
 * The quota store's logic on SQLite. Whoever owns the database runs it inside a transaction of its own, calls `flush`
 * before the commit, and `forget` where the transaction was rolled back or somebody else may have written.
 */
export class SqlQuota {
  readonly #database: SqlDatabase;
  readonly #groups: CounterGroups;
  /** What open reservations hold, of those that were placed here since `forget`: to settle one, nothing has to be read. */
  readonly #placed = new Map<string, readonly StoredHold[]>();

  constructor(database: SqlDatabase) {
    this.#database = database;
    this.#groups = new CounterGroups(database);
  }

  flush(): void {
    this.#groups.flush();
  }

  forget(): void {
    this.#groups.forget();
    this.#placed.clear();
  }

  reserve(request: ReservationRequest, nowMs: number): ReserveOutcome {
    requireAmounts(request.hold);
    const opened = request.limits.map((limit) => this.#open(request.tenantId, limit, nowMs));
    // Mostly all of it fits, and how each limit stands before that is nobody's to know.
    if (!opened.every((one) => verdictOf(one, request.hold, nowMs).fits)) {
      const refusal = refused(opened.map((one) => judgedOf(one, request.hold, nowMs)));
      if (refusal !== undefined) return refusal;
    }
    const holds: StoredHold[] = [];
    for (const { limit, key, group, counter } of opened) {
      const hold = place(counter, limit.setting, amountOf(limit.setting.unit, request.hold), request.slice === true);
      this.#groups.change(group);
      if (hold !== undefined) holds.push([group.scope, key, hold.unit, hold.window, hold.amount, hold.mark]);
    }
    this.#insert(request, holds, nowMs);
    return admitted(
      opened.map((one) => stateOf(one, nowMs)),
      request.hold,
    );
  }

  settle(settlement: Settlement, nowMs: number): boolean {
    const { tenantId, id, charge, rest } = settlement;
    requireAmounts(charge);
    const placed = this.#unplace(tenantId, id);
    if (placed !== undefined && rest === undefined) {
      this.#database.run("DELETE FROM reservation WHERE tenant_id = ? AND id = ?", tenantId, id);
      this.#settleWhole(tenantId, placed, settleHold, charge, nowMs);
      return true;
    }
    const sql = "DELETE FROM reservation WHERE tenant_id = ? AND id = ? RETURNING state, holds, intent";
    const [row] = this.#database.all<SettledRow>(sql, tenantId, id);
    if (row === undefined) return false;
    if (rest !== undefined) this.#settlePart(tenantId, row, charge, rest, nowMs);
    else this.#settleWhole(tenantId, readHolds(row), row.state === open ? settleHold : settleLate, charge, nowMs);
    return true;
  }

  #settleWhole(tenantId: string, holds: readonly StoredHold[], replace: typeof settleHold, charge: Amounts, nowMs: number): void {
    this.#eachHold(tenantId, holds, (state, hold) => replace(state, hold, amountOf(hold.unit, charge), nowMs));
  }

  #settlePart(tenantId: string, row: SettledRow, charge: Amounts, rest: Rest, nowMs: number): void {
    requireAmounts(rest.hold);
    const kept: StoredHold[] = [];
    this.#eachHold(tenantId, readHolds(row), (state, hold, scope, key) => {
      const used = amountOf(hold.unit, charge);
      const amount = amountOf(hold.unit, rest.hold);
      if (row.state !== open) return settleLate(state, hold, used + amount, nowMs);
      settleHold(state, hold, used, nowMs);
      const { unit, window, mark } = holdOn(state, hold, amount);
      kept.push([scope, key, unit, window, amount, mark]);
    });
    if (row.state === open) this.#insert({ ...rest, tenantId, intent: row.intent }, kept, nowMs);
  }

  renew(tenantId: string, ids: readonly string[], leaseMs: number, nowMs: number): void {
    const sql = `UPDATE reservation SET expires_at_ms = max(expires_at_ms, ?) WHERE tenant_id = ? AND id = ? AND state = ${open}`;
    for (const id of ids) this.#database.run(sql, nowMs + leaseMs, tenantId, id);
  }

  expire(count: number, nowMs: number): ExpiredReservation[] {
    const overdue = this.#database.all<OpenRow>(
      `SELECT tenant_id, id, holds FROM reservation WHERE state = ${open} AND expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?`,
      nowMs,
      count,
    );
    for (const row of overdue) {
      const { tenant_id: tenantId, id } = row;
      this.#unplace(tenantId, id);
      this.#eachHold(tenantId, readHolds(row), (state, hold) => settleHold(state, hold, hold.amount, nowMs));
      this.#database.run(`UPDATE reservation SET state = ${expired} WHERE tenant_id = ? AND id = ?`, tenantId, id);
    }
    this.#database.run(`DELETE FROM reservation WHERE state = ${recorded} AND expires_at_ms < ?`, nowMs - lateSettlementMs);
    const rows = this.#database.all<ExpiredRow>(
      `SELECT tenant_id, id, requests, tokens, output_tokens, micro_usd, intent FROM reservation WHERE state = ${expired} ORDER BY expires_at_ms LIMIT ?`,
      count,
    );
    this.#groups.prune(nowMs);
    return rows.map((row) => ({ id: row.id, tenantId: row.tenant_id, hold: holdOf(row), intent: row.intent }));
  }

  recorded(tenantId: string, ids: readonly string[]): void {
    const sql = `UPDATE reservation SET state = ${recorded} WHERE tenant_id = ? AND id = ? AND state = ${expired}`;
    for (const id of ids) this.#database.run(sql, tenantId, id);
  }

  inspect(tenantId: string, limits: readonly AppliedLimit[], nowMs: number): LimitState[] {
    return limits.map((limit) => stateOf(this.#open(tenantId, limit, nowMs), nowMs));
  }

  #open(tenantId: string, limit: AppliedLimit, nowMs: number): Opened {
    const { setting } = limit;
    const key = counterKey(setting);
    const group = this.#groups.group(tenantId, scopeOf(limit));
    const counter = this.#groups.counter(group, key);
    advance(counter, setting.window, limit.periods, nowMs);
    if (counter.rate !== setting.ceiling) {
      // What leaks from here on leaks at the new ceiling; written at once, or another process would leak at the old one.
      counter.rate = setting.ceiling;
      this.#groups.change(group);
    }
    return { limit, key, group, counter };
  }

  #insert(request: Omit<ReservationRequest, "limits">, holds: readonly StoredHold[], nowMs: number): void {
    const { hold } = request;
    this.#database.run(
      `INSERT INTO reservation (tenant_id, id, state, expires_at_ms, requests, tokens, output_tokens, micro_usd, holds, intent)
       VALUES (?, ?, ${open}, ?, ?, ?, ?, ?, ?, ?)`,
      request.tenantId,
      request.id,
      nowMs + request.leaseMs,
      hold.requests,
      hold.tokens,
      hold.outputTokens,
      hold.microUsd,
      JSON.stringify(holds),
      request.intent,
    );
    this.#placed.set(placedName(request.tenantId, request.id), holds);
  }

  #unplace(tenantId: string, id: string): readonly StoredHold[] | undefined {
    const name = placedName(tenantId, id);
    const placed = this.#placed.get(name);
    if (placed !== undefined) this.#placed.delete(name);
    return placed;
  }

  #eachHold(
    tenantId: string,
    holds: readonly StoredHold[],
    apply: (state: CounterState, hold: PlacedHold, scope: string, key: string) => void,
  ): void {
    for (const [scope, key, unit, window, amount, mark] of holds) {
      const group = this.#groups.group(tenantId, scope);
      apply(this.#groups.counter(group, key), { unit, window, amount, mark }, scope, key);
      this.#groups.change(group);
    }
  }
}

function verdictOf({ limit: { setting }, counter }: Opened, hold: Amounts, nowMs: number): Verdict {
  return judge(counter, setting, amountOf(setting.unit, hold), nowMs);
}

function judgedOf(opened: Opened, hold: Amounts, nowMs: number): Judged {
  const asked = amountOf(opened.limit.setting.unit, hold);
  return { state: stateOf(opened, nowMs), asked, verdict: verdictOf(opened, hold, nowMs) };
}

function stateOf({ limit, counter }: Opened, nowMs: number): LimitState {
  return { limit, ...standing(counter, limit.setting, nowMs) };
}

function placedName(tenantId: string, id: string): string {
  return `${id}\n${tenantId}`;
}

function readHolds({ holds }: Pick<OpenRow, "holds">): readonly StoredHold[] {
  return JSON.parse(holds) as StoredHold[];
}

/** One that was placed before input and output were told apart counts as input. */
function holdOf(row: ExpiredRow): Amounts {
  const inputTokens = row.tokens - row.output_tokens;
  return amountsOf(row.requests, inputTokens, row.output_tokens, row.micro_usd);
}
