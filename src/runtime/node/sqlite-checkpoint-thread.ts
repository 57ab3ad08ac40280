import { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";

const everyMs = 500;
/** From here on, 16 MB, the log is begun anew, for which writers wait a moment; they ask again without blocking. */
const restartPages = 4_000;

const { path } = workerData as { readonly path: string };
const database = new DatabaseSync(path, { timeout: 50 });
const passive = database.prepare("PRAGMA wal_checkpoint(PASSIVE)");
const restart = database.prepare("PRAGMA wal_checkpoint(RESTART)");

function checkpoint(): void {
  const { log } = passive.get() as { readonly log: number };
  if (log < restartPages) return;
  // What came while the bulk was copied is copied next, so that little is left for the part that holds writers up.
  passive.get();
  restart.get();
}

setInterval(() => {
  try {
    checkpoint();
  } catch {
    // Busy, or the disk is full: the next round tries again, and the connection that writes reports what lasts.
  }
}, everyMs);
