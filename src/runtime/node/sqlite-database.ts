import { DatabaseSync, type StatementSync } from "node:sqlite";
import { StoreUnavailable } from "../../quota/store.ts";
import type { SqlDatabase, SqlValue } from "../sql/database.ts";

export interface SqliteOptions {
  /** `normal` survives the death of the process; `full` also that of the machine, at one sync to disk a transaction. */
  readonly synchronous: "normal" | "full";
  /** How long another process's lock is waited for before the store counts as unavailable. */
  readonly busyTimeoutMs: number;
  /**
   * Whether this is the only process to use the files. Others are then kept out, which saves asking on every transaction
   * what they did.
   */
  readonly exclusive: boolean;
  /** Whether a thread copies the log back, instead of the commit that finds it long. */
  readonly checkpointThread: boolean;
}

/** SQLite's primary result codes that this module tells apart. */
const busy = 5;
const locked = 6;
const faultsOfTheCaller: ReadonlySet<number> = new Set([
  1 /* ERROR */, 18 /* TOOBIG */, 19 /* CONSTRAINT */, 20 /* MISMATCH */, 25 /* RANGE */,
]);

/** One SQLite file, shared with other processes of this machine. */
export class SqliteDatabase implements SqlDatabase {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #exclusive: boolean;

  constructor(path: string, options: SqliteOptions) {
    this.#exclusive = options.exclusive;
    this.#database = new DatabaseSync(path, { timeout: options.busyTimeoutMs });
    // Of two processes that make a new file, SQLite turns one away at once, whatever it was told of waiting.
    onceFree(options.busyTimeoutMs, () => this.#database.exec("PRAGMA journal_mode = WAL"));
    this.#database.exec(`PRAGMA synchronous = ${options.synchronous === "full" ? "FULL" : "NORMAL"}`);
    // Pages that every batch changes are copied back once a checkpoint: fewer checkpoints, less copying. 16 MB of log.
    this.#database.exec(`PRAGMA wal_autocheckpoint = ${options.checkpointThread ? 0 : 4_000}`);
  }

  run(sql: string, ...parameters: readonly SqlValue[]): boolean {
    return this.#statement(sql).run(...parameters).changes !== 0;
  }

  all<Row>(sql: string, ...parameters: readonly SqlValue[]): Row[] {
    return this.#statement(sql).all(...parameters) as unknown[] as Row[];
  }

  /** How long a statement waits, from here on, for a lock held elsewhere; 0 reports it at once. */
  waitForLocks(timeoutMs: number): void {
    this.#database.exec(`PRAGMA busy_timeout = ${Math.trunc(timeoutMs)}`);
  }

  /** Changes when another connection, of any process, has committed. Exact inside a transaction. */
  dataVersion(): number {
    if (this.#exclusive) return 0;
    return (this.#statement("PRAGMA data_version").get() as { data_version: number }).data_version;
  }

  /** Takes the write lock at once: a transaction that reads first and writes later can fail half-way. */
  begin(): void {
    this.#statement("BEGIN IMMEDIATE").run();
  }

  commit(): void {
    this.#statement("COMMIT").run();
  }

  /** SQLite rolls back by itself on some errors, so there may be nothing left to do. */
  rollback(): void {
    if (this.#database.isTransaction) this.#statement("ROLLBACK").run();
  }

  transact<T>(work: () => T): T {
    this.begin();
    try {
      const value = work();
      this.commit();
      return value;
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** Whether another connection held the lock: to be tried again. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === busy || code === locked;
}

/** Whether the database itself failed (disk full, input or output error, damage), and not what was asked of it. */
export function isStoreFault(error: unknown): boolean {
  const code = resultCode(error);
  return code !== undefined && !faultsOfTheCaller.has(code);
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_INVALID_STATE";
}

/** What a caller of a store is told: that the store is away, or the error as it is where the caller is at fault. */
export function asStoreError(error: unknown): unknown {
  if (!isStoreFault(error) && !isClosed(error)) return error;
  return new StoreUnavailable(`The database failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/** Does the work, and throws as a store's error whatever it throws that is the database's. */
export function orUnavailable<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asStoreError(error);
  }
}

const pauseMs = 5;

/** Tries again while somebody else has the lock; blocks, as all of SQLite does here. */
function onceFree(timeoutMs: number, work: () => void): void {
  const giveUpMs = performance.now() + timeoutMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpMs) throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
  }
}
