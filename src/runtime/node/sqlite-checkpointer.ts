import { Worker } from "node:worker_threads";

/**
 * Copies a database's log back into its file from a thread of its own. Done by the connection that commits, the copying
 * and its syncs to disk stop the event loop for tens of milliseconds, and every stream of the process with it: the slowest
 * hundredth of all requests waited several times as long.
 */
export class SqliteCheckpointer {
  readonly #thread: Worker;

  constructor(path: string) {
    this.#thread = new Worker(new URL("./sqlite-checkpoint-thread.ts", import.meta.url), { workerData: { path } });
    this.#thread.unref();
    // The log only grows until the next start; whatever is wrong with the file, the connection that writes will say.
    this.#thread.on("error", () => undefined);
  }

  /** A thread that is ended in the middle leaves a log that the next start goes on from. */
  close(): void {
    void this.#thread.terminate();
  }
}
