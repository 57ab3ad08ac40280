import { join } from "node:path";
import type { Clock } from "../../clock.ts";
import type { RevocationPath } from "../../revocation/path.ts";
import { migrate } from "../sql/database.ts";
import { SqlRevocations } from "../sql/revocations.ts";
import { revocationMigrations } from "../sql/schema.ts";
import { asStoreError, SqliteDatabase } from "./sqlite-database.ts";

/** How often the file is asked whether another process wrote to it: a question that costs some microseconds. */
const lookEveryMs = 100;
const busyTimeoutMs = 1_000;

/**
 * Orders in `revocations.sqlite` in `dataDir`, for the processes of one machine. A file of its own, because replicas say
 * every few seconds that they live, and whoever writes to the directory's file makes every process forget its tenants.
 */
export function openSqliteRevocations(dataDir: string, clock: Clock): RevocationPath & { close(): void } {
  const database = new SqliteDatabase(join(dataDir, "revocations.sqlite"), {
    synchronous: "full",
    busyTimeoutMs,
    exclusive: false,
    checkpointThread: false,
  });
  database.transact(() => migrate(database, "revocation", revocationMigrations));
  const revocations = new SqlRevocations(database);
  const attempt = async <Result>(work: () => Result): Promise<Result> => {
    try {
      return work();
    } catch (error) {
      throw asStoreError(error);
    }
  };
  const transact = <Result>(work: () => Result): Promise<Result> => attempt(() => database.transact(work));
  return {
    name: "sqlite",
    shared: false,
    read: () => attempt(() => revocations.read()),
    write: (order) => transact(() => revocations.write(order, clock.nowMs())),
    acknowledge: (acknowledgements) => transact(() => revocations.acknowledge(acknowledgements)),
    acknowledgements: (orderId) => attempt(() => revocations.acknowledgements(orderId)),
    beat: (replica) => transact(() => revocations.beat(replica, clock.nowMs())),
    replicas: () => attempt(() => revocations.replicas(clock.nowMs())),
    watch(wake) {
      let version = database.dataVersion();
      let cancel: () => void;
      const look = (): void => {
        cancel = clock.after(lookEveryMs, look);
        const now = database.dataVersion();
        if (now === version) return;
        version = now;
        wake();
      };
      cancel = clock.after(lookEveryMs, look);
      return () => cancel();
    },
    close: () => database.close(),
  };
}
