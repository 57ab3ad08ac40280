import { freshCounter, type CounterState } from "../../quota/counter.ts";
import type { SqlDatabase } from "./database.ts";

/** The counters of one tenant and scope, as one row keeps them. */
export interface CounterGroup {
  readonly tenantId: string;
  readonly scope: string;
  readonly counters: Map<string, CounterState>;
  changed: boolean;
}

type StoredCounter = readonly [key: string, used: number, held: number, mark: number, rate: number];

/** Enough for every tenant that is busy at one time; beyond it, those read longest ago are read again when needed. */
const keptGroups = 20_000;

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
    const name = `${tenantId}\n${scope}`;
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
      for (const [key, state] of group.counters) stored.push([key, state.used, state.held, state.mark, state.rate]);
      this.#database.run(
        "INSERT INTO counter_group (tenant_id, scope, counters) VALUES (?, ?, ?) ON CONFLICT (tenant_id, scope) DO UPDATE SET counters = excluded.counters",
        group.tenantId,
        group.scope,
        JSON.stringify(stored),
      );
    }
    this.#changed.length = 0;
    this.#shrink();
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
      for (const [key, used, held, mark, rate] of JSON.parse(row.counters) as StoredCounter[]) counters.set(key, { used, held, mark, rate });
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
