import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import type { SqlDatabase } from "../../src/runtime/sql/database.ts";
import { SqlTree } from "../../src/runtime/sql/tree.ts";
import { hex } from "../../src/tenant/key.ts";
import { Tree } from "../../src/transparency/tree.ts";
import { receipt } from "../stores/samples.ts";
import { hasher } from "./memory-tiles.ts";
import { naiveRoot } from "./naive-tree.ts";
import { sqliteWorld, temporaryDirectory } from "../stores/sqlite-world.ts";
import { logContract } from "./log-contract.ts";

logContract("SQLite, one process", () => sqliteWorld(1));
logContract("SQLite, three processes", () => sqliteWorld(3));

describe("an integration that is cut off", () => {
  it("leaves the tree as it was, and the next one takes the same entries in", async () => {
    const folder = temporaryDirectory();
    const options = { synchronous: "normal", busyTimeoutMs: 0, exclusive: false, checkpointThread: false } as const;
    const stores = openSqliteStores(folder, systemClock);
    for (let index = 0; index < 300; index += 1) await stores.journal.append(receipt(`r${index}`));
    await stores.tree.integrate(10);
    stores.close();
    for (let statements = 0; statements < 6; statements += 1) {
      // A process that dies at a statement leaves a transaction that was not committed, which is rolled back.
      const file = new SqliteDatabase(`${folder}/ledger.sqlite`, options);
      let left = statements;
      const dying: SqlDatabase = {
        run(sql, ...parameters) {
          if (left-- === 0) throw new Error("killed");
          return file.run(sql, ...parameters);
        },
        all: (sql, ...parameters) => file.all(sql, ...parameters),
      };
      try {
        file.transact(() => new SqlTree(dying, hasher).integrate(280));
      } catch (error) {
        expect(String(error)).toContain("killed");
      }
      file.close();
    }
    const again = openSqliteStores(folder, systemClock);
    while ((await again.tree.integrate(100)) > 0);
    const entries = await again.tree.entries(0, 1_000);
    expect(entries.map(({ document }) => (JSON.parse(document ?? "") as { requestId: string }).requestId)).toEqual(
      Array.from({ length: 300 }, (_, index) => `r${index}`),
    );
    const tree = new Tree(300, (level, index) => again.tree.tile(level, index), hasher);
    expect(hex(await tree.root())).toBe(hex(naiveRoot(entries.map(({ document }) => Buffer.from(document ?? "")))));
    again.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
