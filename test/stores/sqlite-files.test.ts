import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { SqlQuota } from "../../src/runtime/sql/quota.ts";
import { ledgerMigrations } from "../../src/runtime/sql/schema.ts";
import { amounts, apply, receipt, reservation } from "./samples.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

describe("the files of the embedded stores", () => {
  let directory: string;
  const opened: SqliteStores[] = [];

  function open(options: Parameters<typeof openSqliteStores>[2]): SqliteStores {
    const stores = openSqliteStores(directory, systemClock, options);
    opened.push(stores);
    return stores;
  }

  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => {
    for (const stores of opened.splice(0)) stores.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("are one gateway's alone where it asked for that, until it closes them", () => {
    const first = open({ exclusive: true });
    expect(() => open({ exclusive: true })).toThrow(/in use by another gateway.*STRAIT_DATA_DIR/);
    first.close();
    expect(() => open({ exclusive: true })).not.toThrow();
  });

  it("are made by several processes that start at the same moment, and none is turned away", async () => {
    for (let round = 0; round < 4; round++) {
      const folder = join(directory, `round-${round}`);
      const openers = Array.from({ length: 6 }, () =>
        fork(new URL("./sqlite-opener.ts", import.meta.url), [folder], {
          execArgv: [],
          stdio: ["ignore", "ignore", "pipe", "ipc"],
        }),
      );
      await Promise.all(openers.map((opener) => once(opener, "message")));
      const ends = openers.map((opener) => once(opener, "close"));
      for (const opener of openers) opener.send("go");
      expect((await Promise.all(ends)).map(([code]) => code as number)).toEqual(openers.map(() => 0));
    }
  }, 60_000);

  it("keep what was held when they were written by a version whose reservations had no row ids", async () => {
    const setting = {
      name: "m",
      unit: "tokens",
      window: "month",
      ceiling: 100,
      burst: undefined,
      key: undefined,
      model: undefined,
    } as const;
    const limits = [apply(setting, "", undefined, systemClock.nowMs())];
    const before = new SqliteDatabase(join(directory, "ledger.sqlite"), {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
    before.transact(() => {
      migrate(before, "ledger", ledgerMigrations.slice(0, 5));
      const quota = new SqlQuota(before);
      quota.reserve(reservation("r1", limits, amounts(40)), systemClock.nowMs());
      quota.flush();
    });
    before.close();
    const { quota } = open({});
    const left = async (): Promise<number | undefined> => (await quota.inspect("acme", limits))[0]?.remaining;
    expect(await left()).toBe(60);
    expect(await quota.settle({ id: "r1", tenantId: "acme", charge: amounts(10) })).toBe(true);
    expect(await left()).toBe(90);
  });

  it("are brought up to date by a thread, while the gateway writes", async () => {
    const stores = open({ checkpointThread: true });
    const before = statSync(join(directory, "ledger.sqlite")).size;
    await Promise.all(Array.from({ length: 200 }, (_, index) => stores.journal.append(receipt(`req_${index}`))));
    await vi.waitFor(() => expect(statSync(join(directory, "ledger.sqlite")).size).toBeGreaterThan(before), {
      timeout: 5_000,
      interval: 100,
    });
  });
});
