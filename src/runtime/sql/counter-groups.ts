import { freshCounter, idleAtMs, windowOf, type CounterState } from "../../quota/counter.ts";
import { isPassing } from "../../quota/limit.ts";
import type { SqlDatabase } from "./database.ts";

/** The counters of one tenant and scope, as one row keeps them. */
export interface CounterGroup {
  readonly tenantId: string;
  readonly scope: string;
  readonly counters: Map<string, CounterState>;
  changed: boolean;
}

type StoredCounter = readonly [key: string, used: number, held: number, mark: number, rate: number, endsMs?: number];

/** Enough for every tenant that is busy at one time; beyond it, those read longest ago are read again when needed. */
const keptGroups = 20_000;

/** How many idle groups one sweep removes. */
const pruneBatch = 1_000;

/** A counter is dropped so long after it is back to nothing: a clock that goes back by less must not find its past forgotten. */
const pruneAfterMs = 3_600_000;

/**
 * Counters between the rows and the decisions. They stay in memory from one transaction to the next, which holds only
 * while nobody else writes: the owner calls `forget` whenever somebody else may have, and after every rollback.
 */
export class CounterGroups {
  readonly #database: SqlDatabase;
  readonly #groups = new Map<string, CounterGroup>();
  readonly #changed: CounterGroup[] = [];

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  group(tenantId: string, scope: string): CounterGroup {
    const name = groupName(tenantId, scope);
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = this.#read(tenantId, scope);
      this.#groups.set(name, group);
    }
    return group;
  }

  /** The counter's state, to be changed in place; tell `change` of its group. */
  counter(group: CounterGroup, key: string): CounterState {
    let state = group.counters.get(key);
    if (state === undefined) {
      state = freshCounter();
      group.counters.set(key, state);
    }
    return state;
  }

  change(group: CounterGroup): void {
    if (group.changed) return;
    group.changed = true;
    this.#changed.push(group);
  }

  /** Writes what changed, each group once; before every commit. */
  flush(): void {
    for (const group of this.#changed) {
      group.changed = false;
      const stored: StoredCounter[] = [];
      for (const [key, state] of group.counters) stored.push([key, state.used, state.held, state.mark, state.rate, state.endsMs]);
      this.#database.run(
        `INSERT INTO counter_group (tenant_id, scope, counters, idle_at_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT (tenant_id, scope) DO UPDATE SET counters = excluded.counters, idle_at_ms = excluded.idle_at_ms`,
        group.tenantId,
        group.scope,
        JSON.stringify(stored),
        // Only these are ever looked for: an index over all would be written with every request.
        isPassing(group.scope) ? groupIdleAtMs(group) : null,
      );
    }
    this.#changed.length = 0;
    this.#shrink();
  }

  /** Drops groups of scopes without end that are back to nothing. Flushes first: what was placed a moment ago must not go with them. */
  prune(nowMs: number): void {
    this.flush();
    const dropped = this.#database.all<{ tenant_id: string; scope: string }>(
      `DELETE FROM counter_group WHERE (tenant_id, scope) IN (
         SELECT tenant_id, scope FROM counter_group WHERE idle_at_ms < ? LIMIT ${pruneBatch}
       ) RETURNING tenant_id, scope`,
      nowMs - pruneAfterMs,
    );
    for (const { tenant_id: tenantId, scope } of dropped) this.#groups.delete(groupName(tenantId, scope));
  }

  forget(): void {
    this.#groups.clear();
    this.#changed.length = 0;
  }

  #read(tenantId: string, scope: string): CounterGroup {
    const sql = "SELECT counters FROM counter_group WHERE tenant_id = ? AND scope = ?";
    const [row] = this.#database.all<{ counters: string }>(sql, tenantId, scope);
    const counters = new Map<string, CounterState>();
    if (row !== undefined) {
      for (const [key, used, held, mark, rate, endsMs = 0] of JSON.parse(row.counters) as StoredCounter[]) {
        counters.set(key, { used, held, mark, rate, endsMs });
      }
    }
    return { tenantId, scope, counters, changed: false };
  }

  #shrink(): void {
    if (this.#groups.size <= keptGroups) return;
    let surplus = this.#groups.size - keptGroups / 2;
    for (const name of this.#groups.keys()) {
      if (surplus-- <= 0) return;
      this.#groups.delete(name);
    }
  }
}

function groupName(tenantId: string, scope: string): string {
  return `${tenantId}\n${scope}`;
}

/** When the last of a group's counters is back to nothing; null while something is held on one. */
function groupIdleAtMs(group: CounterGroup): number | null {
  let latest = 0;
  for (const [key, state] of group.counters) {
    const at = idleAtMs(state, windowOf(key));
    if (at === undefined) return null;
    latest = Math.max(latest, at);
  }
  return latest;
}
