import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { SqliteBatcher } from "../../src/runtime/node/sqlite-batcher.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

const busyLimitMs = 400;

describe("SqliteBatcher", () => {
  let directory: string;
  let database: SqliteDatabase;
  let other: SqliteDatabase;
  let batcher: SqliteBatcher;
  let flushes: number;
  let forgets: number;

  beforeEach(() => {
    directory = temporaryDirectory();
    database = new SqliteDatabase(join(directory, "batch.sqlite"), {
      synchronous: "normal",
      busyTimeoutMs: busyLimitMs,
      exclusive: false,
      checkpointThread: false,
    });
    other = new SqliteDatabase(join(directory, "batch.sqlite"), {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
    database.run("CREATE TABLE item (name TEXT PRIMARY KEY, bulk TEXT)");
    flushes = 0;
    forgets = 0;
    const memory = { flush: () => void flushes++, forget: () => void forgets++ };
    batcher = new SqliteBatcher(database, memory, busyLimitMs);
  });
  afterEach(() => {
    batcher.close();
    database.close();
    other.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const add = (name: string, bulk = ""): Promise<boolean> =>
    batcher.run(() => database.run("INSERT INTO item VALUES (?, ?)", name, bulk));
  const stored = (): string[] => other.all<{ name: string }>("SELECT name FROM item ORDER BY name").map((row) => row.name);

  it("runs what one turn asks for in one transaction, in order", async () => {
    await Promise.all(Array.from({ length: 100 }, (_, index) => add(`item-${index}`)));
    expect(stored()).toHaveLength(100);
    expect(flushes).toBe(1);
  });

  it("resolves only after the commit, so that others see what was promised", async () => {
    const seen = add("a").then(stored);
    expect(stored()).toEqual([]);
    expect(await seen).toEqual(["a"]);
  });

  it("undoes an operation that throws after it wrote, and no other of its batch", async () => {
    const failing = batcher.run(() => {
      database.run("INSERT INTO item VALUES ('half', '')");
      throw new Error("no");
    });
    const outcomes = await Promise.allSettled([add("a"), failing, add("c")]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(stored()).toEqual(["a", "c"]);
    expect(forgets).toBeGreaterThan(0);
  });

  it("reports a statement that breaks a constraint as the caller's error, not as an outage", async () => {
    await add("a");
    await expect(add("a")).rejects.not.toBeInstanceOf(StoreUnavailable);
    await expect(add("b")).resolves.toBe(true);
  });

  it("forgets what it remembers when another connection wrote, and only then", async () => {
    await add("a");
    const before = forgets;
    await add("b");
    expect(forgets).toBe(before);
    other.run("INSERT INTO item VALUES ('theirs', '')");
    await add("c");
    expect(forgets).toBe(before + 1);
  });

  it("waits for another process's lock without stopping the event loop", async () => {
    other.begin();
    const added = add("a");
    const startedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(performance.now() - startedMs).toBeLessThan(busyLimitMs - 50);
    const later = add("b");
    other.commit();
    await Promise.all([added, later]);
    expect(stored()).toEqual(["a", "b"]);
  });

  it("says that the store is unavailable when the lock stays held, and recovers", async () => {
    other.begin();
    const outcomes = await Promise.allSettled([add("a"), add("b")]);
    for (const outcome of outcomes) expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(StoreUnavailable);
    other.commit();
    await add("c");
    expect(stored()).toEqual(["c"]);
  });

  it("says that the store is unavailable when the disk is full, keeps nothing half, and recovers", async () => {
    const [size] = database.all<{ page_count: number }>("PRAGMA page_count");
    database.all(`PRAGMA max_page_count = ${(size?.page_count ?? 0) + 2}`);
    const outcomes = await Promise.allSettled([add("a"), add("b", "x".repeat(100_000))]);
    for (const outcome of outcomes) expect(outcome.status === "rejected" && outcome.reason).toBeInstanceOf(StoreUnavailable);
    expect(stored()).toEqual([]);
    database.all("PRAGMA max_page_count = 100000");
    await add("c", "x".repeat(100_000));
    expect(stored()).toEqual(["c"]);
  });

  it("finishes what is queued when it is closed, and refuses the rest", async () => {
    const queued = add("a");
    batcher.close();
    await queued;
    expect(stored()).toEqual(["a"]);
    await expect(add("b")).rejects.toBeInstanceOf(StoreUnavailable);
  });
});

describe("migrate", () => {
  const first = ["CREATE TABLE one (a TEXT)"];
  const second = ["CREATE TABLE two (b TEXT)", "INSERT INTO one VALUES ('from two')"];

  it("applies each version once, and areas apart", () => {
    const database = new SqliteDatabase(":memory:", {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
    migrate(database, "ledger", [first]);
    migrate(database, "ledger", [first, second]);
    migrate(database, "ledger", [first, second]);
    migrate(database, "other", [["CREATE TABLE three (c TEXT)"]]);
    expect(database.all("SELECT a FROM one")).toHaveLength(1);
    expect(database.all("SELECT * FROM three")).toEqual([]);
    database.close();
  });

  it("leaves a database alone that a newer version wrote", () => {
    const database = new SqliteDatabase(":memory:", {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
    migrate(database, "ledger", [first, second]);
    expect(() => migrate(database, "ledger", [first])).toThrow(/newer/);
    database.close();
  });
});
