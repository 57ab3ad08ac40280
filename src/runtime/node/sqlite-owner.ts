import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreUnavailable } from "../../quota/store.ts";
import { isBusy } from "./sqlite-database.ts";

/**
 * Keeps other gateways out of a data directory for as long as this one lives: a lock that the system takes back, however
 * the process ends.
 * @throws {StoreUnavailable} if another process holds it.
 */
export function ownDirectory(dataDir: string): () => void {
  const lock = new DatabaseSync(join(dataDir, "lock.sqlite"), { timeout: 1_000 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw new StoreUnavailable(
      `${dataDir} is in use by another gateway. Stop it, or give this one a STRAIT_DATA_DIR of its own.`,
      { cause: error },
    );
  }
  return () => lock.close();
}
