import { fork } from "node:child_process";
import { once } from "node:events";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { receipt } from "./samples.ts";
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
