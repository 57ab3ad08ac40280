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
