import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { auditLog, type AuditReport, type ShownEntry } from "../../src/transparency/audit-log.ts";
import { readCheckpoint, type Checkpoint } from "../../src/transparency/checkpoint.ts";
import { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import { receipt } from "../stores/samples.ts";
import { temporaryDirectory } from "../stores/sqlite-world.ts";
import { logKeys, newKey } from "./log-fixture.ts";

const { sha256Bytes } = hashes;

const key = await newKey();

describe("a journal that was tampered with", () => {
  let directory: string;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  async function withLog<Result>(use: (log: TransparencyLog) => Promise<Result>): Promise<Result> {
    const stores = openSqliteStores(directory, systemClock);
    try {
      return await use(new TransparencyLog(stores.tree, await logKeys(key), systemClock, sha256Bytes));
    } finally {
      stores.close();
    }
  }

  /** Writes receipts, signs, and gives what an auditor would keep. */
  async function written(prefix: string, count: number): Promise<Checkpoint> {
    const stores = openSqliteStores(directory, systemClock);
    for (let index = 0; index < count; index += 1) await stores.journal.append(receipt(`${prefix}${index}`));
    stores.close();
    const checkpoint = readCheckpoint((await withLog((log) => log.advance())).note);
    if (checkpoint === undefined) throw new Error("no checkpoint");
    return checkpoint;
  }

  function tamper(sql: string): void {
    const database = new DatabaseSync(join(directory, "ledger.sqlite"));
    database.exec(sql);
    database.close();
  }

  async function audit(...kept: readonly Checkpoint[]): Promise<AuditReport> {
    return withLog((log) => auditLog(pagesOf(log), kept, sha256Bytes));
  }

  it("is not found where nobody tampered, over several pages and checkpoints", async () => {
    const kept = [await written("a", 5), await written("b", 7)];
    expect(await audit(...kept)).toEqual({ entries: 12, forgotten: 0, problems: [] });
  });

  it("is found where a receipt was changed", async () => {
    const kept = await written("a", 5);
    tamper(`UPDATE receipt SET document = replace(document, '"costMicroUsd":', '"costMicroUsd":1') WHERE request_id = 'a2'`);
    const { problems } = await audit(kept);
    expect(problems[0]).toContain("entry 2 is not what the tree says");
    expect(problems.at(-1)).toContain("forked or rewritten");
  });

  it("is found where a receipt was dropped", async () => {
    const kept = await written("a", 5);
    tamper("DELETE FROM receipt WHERE request_id = 'a2'");
    expect((await audit(kept)).problems).toEqual(["entry 2 was dropped from the journal, by no retention class"]);
  });

  it("is found where the newest receipts were dropped, with the tree cut to fit", async () => {
    const kept = await written("a", 5);
    tamper("DELETE FROM receipt WHERE request_id = 'a4'; UPDATE tree_state SET size = 4");
    expect((await audit(kept)).problems).toEqual(["a tree of 5 entries was signed, and there are 4"]);
  });

  it("is found where receipts were put in another order", async () => {
    const kept = await written("a", 5);
    tamper(
      "UPDATE receipt SET sequence = 100 WHERE sequence = 2; UPDATE receipt SET sequence = 2 WHERE sequence = 3; UPDATE receipt SET sequence = 3 WHERE sequence = 100",
    );
    const { problems } = await audit(kept);
    expect(problems.slice(0, 2)).toEqual(
      [1, 2].map((leaf) => expect.stringContaining(`entry ${leaf} is not what the tree says`)),
    );
  });

  it("is found where all of it, tree and signature included, was written anew: by whoever kept a checkpoint", async () => {
    const kept = await written("a", 5);
    rmSync(join(directory, "ledger.sqlite"));
    const forked = await written("b", 6);
    expect((await audit(forked)).problems).toEqual([]);
    expect((await audit(forked, kept)).problems).toEqual([
      expect.stringContaining("the first 5 entries are not those that were signed"),
    ]);
  });
});

async function* pagesOf(log: TransparencyLog): AsyncGenerator<readonly ShownEntry[]> {
  for (let from = 0; ;) {
    const page = await log.shown(from, 3);
    if (page.length === 0) return;
    yield page;
    from += page.length;
  }
}
