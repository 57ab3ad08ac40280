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
import { logKeys, newKey, refusal } from "./log-fixture.ts";

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

  /** Writes receipts, and as many refusals, that the log does not have yet. */
  async function waiting(prefix: string, count: number): Promise<void> {
    const stores = openSqliteStores(directory, systemClock);
    for (let index = 0; index < count; index += 1) {
      await stores.journal.append(receipt(`${prefix}${index}`));
      await stores.refusals.append(refusal(`no_${prefix}${index}`));
    }
    stores.close();
  }

  /** Writes receipts, signs, and gives what an auditor would keep. */
  async function written(prefix: string, count: number): Promise<Checkpoint> {
    const stores = openSqliteStores(directory, systemClock);
    for (let index = 0; index < count; index += 1) await stores.journal.append(receipt(`${prefix}${index}`));
    stores.close();
    return signed();
  }

  async function signed(): Promise<Checkpoint> {
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
    expect(await audit(...kept)).toEqual({ entries: 12, forgotten: 0, seesDropped: true, problems: [] });
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

  it("is found where records were dropped before the log took them in", async () => {
    const kept = await written("a", 2);
    await waiting("b", 4);
    tamper("DELETE FROM receipt WHERE request_id IN ('b0', 'b2'); DELETE FROM refusal WHERE request_id IN ('no_b0', 'no_b1')");
    const dropped = (entry: number, count: number): string =>
      `before entry ${entry}, ${count} of the records written were dropped before the log took them in`;
    expect((await audit(kept, await signed())).problems).toEqual([dropped(2, 1), dropped(3, 1), dropped(4, 2)]);
    // It stays found, whatever page it is on and whatever came since.
    expect((await audit(await written("c", 3))).problems).toHaveLength(3);
  });

  it("is found where the first records of a log were dropped before it took them in", async () => {
    await waiting("a", 3);
    tamper("DELETE FROM receipt WHERE request_id IN ('a0', 'a1')");
    expect((await audit(await signed())).problems).toEqual([
      "before entry 0, 2 of the records written were dropped before the log took them in",
    ]);
  });

  it("is not taken for one whose records waited, and were corrected while they did", async () => {
    await waiting("a", 2);
    const stores = openSqliteStores(directory, systemClock);
    await stores.journal.append(receipt("open", { end: "unsettled" }));
    await stores.journal.append(receipt("a0"));
    await stores.refusals.append(refusal("no_a0"));
    await stores.journal.append(receipt("open"));
    await stores.journal.append(receipt("last"));
    stores.close();
    expect((await audit(await signed())).problems).toEqual([]);
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

  it("is found where the log was given another name", async () => {
    const kept = await written("a", 5);
    tamper("UPDATE tree_state SET id = 'another'; DELETE FROM tree_checkpoint");
    expect((await audit(await written("b", 1), kept)).problems).toEqual([
      `the checkpoints are of different logs, strait/another and ${kept.origin}: one of them was renamed or replaced`,
    ]);
  });

  it("is found where all of it, tree and signature included, was written anew: by whoever kept a checkpoint", async () => {
    const kept = await written("a", 5);
    rmSync(join(directory, "ledger.sqlite"));
    const forked = await written("b", 6);
    expect((await audit(forked)).problems).toEqual([]);
    expect((await audit(forked, kept)).problems).toEqual([
      expect.stringContaining("the checkpoints are of different logs"),
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
