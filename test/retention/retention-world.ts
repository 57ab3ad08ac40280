import { recordedRetention } from "../../src/control/retention.ts";
import type { RetentionStore } from "../../src/retention/retention-store.ts";
import { entropy } from "../control/control-fixture.ts";
import { silent } from "../stores/postgres-world.ts";
import type { LogWorld, ReaderWorld, RetentionWorld } from "../stores/store-world.ts";
import { logOf, newKey, publicKeys } from "../transparency/log-fixture.ts";

/** Stores of one journal, hence of one log for all tenants, with retention over all of them. */
export async function retentionWorld(
  world: ReaderWorld & LogWorld & { readonly retention: RetentionStore },
): Promise<RetentionWorld> {
  const key = await newKey();
  const nowMs = (): number => world.nowMs();
  const log = await logOf(world, key);
  return {
    ...world,
    applyRetention: recordedRetention({
      get records() {
        return world.retention.records;
      },
      directory: world.directory,
      nowMs,
      clock: { nowMs, after: () => () => undefined },
      entropy,
      log: silent,
    }),
    log: () => log,
    publicKeys: publicKeys(key),
  };
}
