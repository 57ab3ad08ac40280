import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyRetention } from "../../src/retention/apply-retention.ts";
import type { RetentionCount } from "../../src/retention/retention-run.ts";
import type { RetentionTerm } from "../../src/retention/retention-terms.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import type { AuditReport } from "../../src/transparency/audit-log.ts";
import type { StoredCheckpoint } from "../../src/transparency/log-store.ts";
import type { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import { ManualClock } from "../stores/manual-clock.ts";
import { auditEntry, directoryEntry, receipt } from "../stores/samples.ts";
import { sqliteWorld, temporaryDirectory } from "../stores/sqlite-world.ts";
import { logOf, newKey, refusal } from "../transparency/log-fixture.ts";
import { auditOf } from "./audit-of.ts";
import { retentionContract } from "./retention-contract.ts";
import { retentionWorld } from "./retention-world.ts";
import { sharedRetentionContract } from "./shared-retention-contract.ts";

const longAgo = Date.parse("2020-01-01T00:00:00Z");
const nowMs = Date.parse("2026-11-25T00:00:00Z");
const dueMs = Date.parse("2021-11-25T00:00:00Z");

for (const gateways of [1, 2]) {
  const name = gateways === 1 ? "SQLite" : `SQLite, ${gateways} processes on one file`;
  retentionContract(name, () => retentionWorld(sqliteWorld(gateways)));
  sharedRetentionContract(name, () => sqliteWorld(gateways));
}

const key = await newKey();

describe("retention on SQLite", () => {
  const clock = new ManualClock(nowMs);
  let directory: string;
  let stores: SqliteStores;
  beforeEach(async () => {
    directory = temporaryDirectory();
    stores = openSqliteStores(directory, clock);
    await stores.directory.save(directoryEntry("acme", 1), auditEntry("audit_1", "acme"));
  });
  afterEach(() => {
    stores.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function log(): Promise<TransparencyLog> {
    return logOf({ tree: stores.tree, nowMs: () => clock.nowMs() }, key);
  }

  async function sign(): Promise<StoredCheckpoint> {
    return (await log()).advance();
  }

  async function apply(terms: readonly Partial<RetentionTerm>[]): Promise<readonly RetentionCount[]> {
    const filled = terms.map((term) => ({
      kind: "receipts" as const,
      className: "five-years",
      beforeMs: dueMs,
      models: undefined,
      ...term,
    }));
    const ports = { records: stores.retention.records, directory: stores.directory, nowMs: () => clock.nowMs() };
    const run = await applyRetention(ports, { policyVersion: "7", policyDigest: "digest", terms: filled }, false);
    expect(run.failures).toEqual([]);
    return run.counts;
  }

  async function audit(kept: StoredCheckpoint): Promise<AuditReport> {
    return auditOf(await log(), [kept]);
  }

  function tamper(sql: string): void {
    stores.close();
    const database = new DatabaseSync(join(directory, "ledger.sqlite"));
    database.exec(sql);
    database.close();
    stores = openSqliteStores(directory, clock);
  }

  it("leaves what was dropped beside it to be found, also where somebody claims a class for it", async () => {
    for (let index = 0; index < 4; index += 1) {
      const model = index % 2 === 0 ? "even" : "odd";
      await stores.journal.append(receipt(`old${index}`, { startedAtMs: longAgo, model }));
    }
    await stores.journal.append(receipt("new", { startedAtMs: nowMs - 1_000 }));
    await stores.sumUp();
    await sign();
    await apply([{ models: ["odd"] }]);
    await sign();
    tamper(`DELETE FROM receipt WHERE request_id IN ('new', 'old2');
      INSERT INTO tree_forgotten (first_leaf, count, class, at_ms) VALUES (2, 1, 'five-years', ${nowMs})`);
    expect((await audit(await sign())).problems).toEqual([
      "entry 4 was dropped from the journal, by no retention class",
      "entry 2 was dropped from the journal: no entry of the log says that it was deleted",
    ]);
  });

  it("deletes the newest as well, and yet no row id comes twice: what comes next is an entry of its own", async () => {
    await stores.journal.append(receipt("unsettled", { startedAtMs: longAgo, end: "unsettled" }));
    await stores.journal.append(receipt("a", { startedAtMs: longAgo }));
    await stores.refusals.append(refusal("no", { startedAtMs: longAgo }));
    await stores.sumUp();
    await sign();
    expect((await apply([{}, { kind: "refusals" }])).map(({ deleted }) => deleted)).toEqual([1, 1]);
    await stores.journal.append(receipt("unsettled"));
    await stores.refusals.append(refusal("again"));
    await stores.sumUp();
    expect(await audit(await sign())).toEqual({ entries: 7, forgotten: 2, seesDropped: true, problems: [] });
    expect(await (await log()).prove("acme", "unsettled")).toMatchObject({ leafIndex: 5 });
    expect(await (await log()).prove("acme", "again")).toMatchObject({ leafIndex: 6 });
  });
});
