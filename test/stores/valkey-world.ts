import { rmSync } from "node:fs";
import type { Log, LogFields } from "../../src/log.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { openValkeyQuota, type ValkeyOptions, type ValkeyStore } from "../../src/runtime/node/valkey.ts";
import { baseOf, bucketOf } from "../../src/runtime/node/valkey-wire.ts";
import type { ValkeyUnderTest } from "../support/valkey-server.ts";
import { ManualClock } from "./manual-clock.ts";
import { temporaryDirectory } from "./sqlite-world.ts";
import { worldBeginsMs, type StoreWorld } from "./store-world.ts";

/** All that have anything in the contracts. */
const testTenants = ["acme", "other"];

/** What time it is for stores that are opened by `openTestQuota`. */
export async function setTestTime(server: ValkeyUnderTest, nowMs: number): Promise<void> {
  for (const tenantId of testTenants) await server.set(`${baseOf(bucketOf(tenantId))}:time`, nowMs);
}

export interface LogLine {
  readonly message: string;
  readonly fields: LogFields;
}

export function recordingLog(lines: LogLine[] = []): Log {
  const add = (message: string, fields: LogFields = {}): void => void lines.push({ message, fields });
  return { info: add, warn: add, error: add };
}

/** Limits on Valkey, journal and directory beside them in SQLite. `gateways` connections; calls go to each in turn. */
export async function valkeyWorld(server: ValkeyUnderTest, gateways: number): Promise<StoreWorld> {
  await server.flush();
  const folder = temporaryDirectory();
  const clock = new ManualClock(worldBeginsMs);
  const embedded = openSqliteStores(folder, clock);
  const setTime = (): Promise<void> => setTestTime(server, clock.nowMs());
  await setTime();
  const open = (): Promise<ValkeyStore[]> => Promise.all(Array.from({ length: gateways }, () => openTestQuota(server)));
  let all = await open();
  let turn = 0;
  const next = (): ValkeyStore => {
    const store = all[turn++ % all.length];
    if (store === undefined) throw new Error("no gateway");
    return store;
  };
  const close = (): void => {
    for (const store of all) store.close();
  };
  const { journal, directory } = embedded;
  return {
    quota: {
      reserve: (request) => next().quota.reserve(request),
      settle: (settlement) => next().quota.settle(settlement),
      renew: (tenantId, ids, leaseMs) => next().quota.renew(tenantId, ids, leaseMs),
      expire: (count) => next().quota.expire(count),
      recorded: (tenantId, ids) => next().quota.recorded(tenantId, ids),
      inspect: (tenantId, limits) => next().quota.inspect(tenantId, limits),
    },
    journal,
    directory,
    books: {
      async close(receipt, settlement) {
        await journal.append(receipt);
        await next().quota.settle(settlement);
      },
    },
    nowMs: () => clock.nowMs(),
    async advance(byMs) {
      clock.advance(byMs);
      await setTime();
    },
    async restart() {
      close();
      all = await open();
    },
    close() {
      close();
      embedded.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A gateway's opening whose server's time the tests move. */
export function openTestQuota(server: ValkeyUnderTest, options: Partial<ValkeyOptions> = {}): Promise<ValkeyStore> {
  return openValkeyQuota(server.address, recordingLog(), { testTime: true, quarantineMs: 0, ...options });
}
