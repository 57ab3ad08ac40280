import { StoreUnavailable } from "../../quota/store.ts";
import { asStoreError, isBusy, isStoreFault, type SqliteDatabase } from "./sqlite-database.ts";

/** What is kept in memory beside the database, as long as nobody else writes to it. */
export interface BatchMemory {
  /** Writes what changed; called before every commit. */
  flush(): void;
  /** Drops everything: somebody else wrote, or a transaction was rolled back. */
  forget(): void;
}

interface Operation {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  value: unknown;
}

const longestPauseMs = 8;

/**
 * Runs all operations that one turn of the event loop asked for in one transaction, and tells their callers after the
 * commit: a transaction of its own costs an operation ten times as much. An operation must be a function of the
 * database and the time alone, because after a failure it is run again in a transaction of its own, so that one that
 * throws takes no other with it.
 *
 * The lock is asked for without blocking. Waiting inside SQLite would stop every stream of this process while another
 * one writes; so a busy lock is asked for again from a timer, and what queues meanwhile joins the batch.
 */
export class SqliteBatcher {
  readonly #database: SqliteDatabase;
  readonly #memory: BatchMemory;
  /** How long operations wait for other processes' locks before the store counts as unavailable. */
  readonly #busyLimitMs: number;
  #queue: Operation[] = [];
  #scheduled = false;
  #closed = false;
  #version: number | undefined;
  #busySinceMs: number | undefined;
  #pauseMs = 0;

  constructor(database: SqliteDatabase, memory: BatchMemory, busyLimitMs: number) {
    this.#database = database;
    this.#memory = memory;
    this.#busyLimitMs = busyLimitMs;
    database.waitForLocks(0);
  }

  run<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) return reject(new StoreUnavailable("The database is closed."));
      this.#queue.push({ work, resolve: resolve as (value: unknown) => void, reject, value: undefined });
      this.#schedule();
    });
  }

  /** Runs what is queued, now; whatever is asked for later is refused. */
  close(): void {
    this.#closed = true;
    this.#database.waitForLocks(this.#busyLimitMs);
    this.#flush();
    // Only a lock that stayed held for all that time leaves anything behind.
    this.#rejectAll(this.#take(), new StoreUnavailable("The database stayed locked by another process."));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const batch = this.#take();
    if (batch.length === 0) return;
    try {
      this.#database.begin();
    } catch (error) {
      if (isBusy(error)) this.#wait(batch);
      else this.#rejectAll(batch, asStoreError(error));
      return;
    }
    this.#busySinceMs = undefined;
    this.#pauseMs = 0;
    this.#transact(batch);
  }

  /** The lock is held. */
  #transact(batch: readonly Operation[]): void {
    try {
      const version = this.#database.dataVersion();
      if (version !== this.#version) this.#memory.forget();
      this.#version = version;
      for (const operation of batch) operation.value = operation.work();
      this.#memory.flush();
      this.#database.commit();
    } catch (error) {
      this.#undo();
      if (batch.length === 1 || isStoreFault(error)) this.#rejectAll(batch, asStoreError(error));
      else this.#oneByOne(batch);
      return;
    }
    for (const operation of batch) operation.resolve(operation.value);
  }

  #oneByOne(batch: readonly Operation[]): void {
    for (const operation of batch) {
      try {
        this.#database.begin();
      } catch (error) {
        // Lost the lock in between: this one goes back to the queue like any other.
        if (isBusy(error)) this.#wait([operation]);
        else operation.reject(asStoreError(error));
        continue;
      }
      this.#transact([operation]);
    }
  }

  #undo(): void {
    this.#memory.forget();
    try {
      this.#database.rollback();
    } catch {
      // The error that led here is the one to report; a transaction that cannot be left makes the next `begin` fail.
    }
  }

  #wait(batch: readonly Operation[]): void {
    const nowMs = performance.now();
    this.#busySinceMs ??= nowMs;
    if (nowMs - this.#busySinceMs > this.#busyLimitMs) {
      this.#busySinceMs = undefined;
      this.#rejectAll([...batch, ...this.#take()], new StoreUnavailable("The database stayed locked by another process."));
      return;
    }
    this.#queue.unshift(...batch);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const retry = (): void => {
      this.#scheduled = false;
      this.#flush();
    };
    // Another process's batch takes well under a millisecond: first look again in the next turn, then ever later.
    if (this.#pauseMs === 0) setImmediate(retry);
    else setTimeout(retry, this.#pauseMs);
    this.#pauseMs = Math.min(longestPauseMs, Math.max(1, this.#pauseMs * 2));
  }

  #take(): Operation[] {
    const batch = this.#queue;
    this.#queue = [];
    return batch;
  }

  #rejectAll(batch: readonly Operation[], error: unknown): void {
    for (const operation of batch) operation.reject(error);
  }
}
