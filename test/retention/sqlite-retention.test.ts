import { rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyRetention } from "../../src/retention/apply-retention.ts";
import type { RetentionCount } from "../../src/retention/retention-run.ts";
import type { RetentionTerm } from "../../src/retention/retention-terms.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { auditLog, type AuditReport, type ShownEntry } from "../../src/transparency/audit-log.ts";
import { readCheckpoint, type Checkpoint } from "../../src/transparency/checkpoint.ts";
import { readDeletion } from "../../src/transparency/deletion-statement.ts";
import { verifyReceiptProof } from "../../src/transparency/receipt-proof.ts";
import type { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import type { AuditEntry } from "../../src/tenant/directory.ts";
import { ManualClock } from "../stores/manual-clock.ts";
import { auditEntry, directoryEntry, receipt } from "../stores/samples.ts";
import { temporaryDirectory } from "../stores/sqlite-world.ts";
import { logOf, newKey, publicKeys, refusal } from "../transparency/log-fixture.ts";

const { sha256Bytes } = hashes;
const longAgo = Date.parse("2020-01-01T00:00:00Z");
const nowMs = Date.parse("2026-11-25T00:00:00Z");
const dueMs = Date.parse("2021-11-25T00:00:00Z");

function auditSample(tenantId: string, atMs: number): AuditEntry {
  return { ...auditEntry(`audit_${tenantId}_${atMs}`, tenantId), at: new Date(atMs).toISOString() };
}

const key = await newKey();

describe("retention on SQLite", () => {
  const clock = new ManualClock(nowMs);
  let directory: string;
  let stores: SqliteStores;
  beforeEach(async () => {
    directory = temporaryDirectory();
    stores = openSqliteStores(directory, clock);
    await stores.directory.save(directoryEntry("acme", 1), auditSample("acme", longAgo));
    await stores.directory.save(directoryEntry("other", 1), auditSample("other", nowMs));
  });
  afterEach(() => {
    stores.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function log(): Promise<TransparencyLog> {
    return logOf({ tree: stores.tree, nowMs: () => clock.nowMs() }, key);
  }

  async function signed(): Promise<Checkpoint> {
    const checkpoint = readCheckpoint((await (await log()).advance()).note);
    if (checkpoint === undefined) throw new Error("no checkpoint");
    return checkpoint;
  }

  /** Ten old receipts and three young ones, four old refusals, all of it in the tree and in the sums. */
  async function written(): Promise<Checkpoint> {
    for (let index = 0; index < 10; index += 1)
      await stores.journal.append(
        receipt(`old${index}`, { startedAtMs: longAgo + index, model: index % 2 === 0 ? "even" : "odd" }),
      );
    for (let index = 0; index < 4; index += 1)
      await stores.refusals.append(refusal(`no${index}`, { startedAtMs: longAgo + index }));
    for (let index = 0; index < 3; index += 1)
      await stores.journal.append(receipt(`new${index}`, { startedAtMs: nowMs - 1_000 }));
    await stores.refusals.append(refusal("young", { startedAtMs: nowMs - 1_000 }));
    await stores.sumUp();
    return signed();
  }

  async function apply(terms: readonly Partial<RetentionTerm>[], dryRun = false): Promise<readonly RetentionCount[]> {
    const filled = terms.map((term) => ({
      kind: "receipts" as const,
      className: "five-years",
      beforeMs: dueMs,
      models: undefined,
      ...term,
    }));
    const ports = { records: stores.retention.records, directory: stores.directory, nowMs: () => clock.nowMs() };
    const run = await applyRetention(ports, { policyVersion: "7", policyDigest: "digest", terms: filled }, dryRun);
    expect(run.failures).toEqual([]);
    return run.counts;
  }

  async function audit(...kept: readonly Checkpoint[]): Promise<AuditReport> {
    const opened = await log();
    async function* pages(): AsyncGenerator<readonly ShownEntry[]> {
      for (let from = 0; ;) {
        const page = await opened.shown(from, 4);
        if (page.length === 0) return;
        yield page;
        from += page.length;
      }
    }
    return auditLog(pages(), kept, sha256Bytes);
  }

  function tamper(sql: string): void {
    stores.close();
    const database = new DatabaseSync(join(directory, "ledger.sqlite"));
    database.exec(sql);
    database.close();
    stores = openSqliteStores(directory, clock);
  }

  it("deletes what is due and leaves the tree as it was signed, with the proofs that were given", async () => {
    const before = await written();
    const proof = await (await log()).prove("acme", "old3");
    const counts = await apply([{}, { kind: "refusals" }]);
    expect(counts.map(({ kind, deleted, held }) => [kind, deleted, held])).toEqual([
      ["receipts", 10, 0],
      ["refusals", 4, 0],
    ]);
    expect(counts[0]).toMatchObject({ oldestMs: longAgo, newestMs: longAgo + 9 });
    const after = await signed();
    expect(await audit(before, after)).toEqual({ entries: 20, forgotten: 14, problems: [] });
    expect(await stores.journal.find("acme", "old3")).toBeUndefined();
    expect(await stores.refusals.find("acme", "no1")).toBeUndefined();
    expect(await stores.journal.find("acme", "new0")).toBeDefined();
    expect(await (await log()).prove("acme", "old3")).toBe("absent");
    expect(await verifyReceiptProof(JSON.stringify(proof), publicKeys(key), sha256Bytes)).toMatchObject({ ok: true });
    expect(await (await log()).consistency(before.size)).toBeDefined();
    const young = await (await log()).prove("acme", "new1");
    expect(await verifyReceiptProof(JSON.stringify(young), publicKeys(key), sha256Bytes)).toMatchObject({ ok: true });
  });

  it("says in the log itself which entries went, by which class and policy", async () => {
    await written();
    await apply([{ models: ["odd"] }]);
    const documents = (await stores.tree.entries(0, 100)).flatMap(({ document }) => document ?? []);
    const statements = documents.flatMap((document) => readDeletion(document) ?? []);
    expect(statements).toEqual([
      {
        schema: "strait.deletion.v1",
        retentionClass: "five-years",
        beforeMs: dueMs,
        policyVersion: "7",
        policyDigest: "digest",
        deletedAtMs: nowMs,
        leaves: [1, 3, 5, 7, 9].map((leaf) => [leaf, 1]),
      },
    ]);
  });

  it("leaves what was dropped beside it to be found, also where somebody claims a class for it", async () => {
    await written();
    await apply([{ models: ["odd"] }]);
    await signed();
    tamper(`DELETE FROM receipt WHERE request_id IN ('new0', 'old2');
      INSERT INTO tree_forgotten (first_leaf, count, class, at_ms) VALUES (2, 1, 'five-years', ${nowMs})`);
    expect((await audit(await signed())).problems).toEqual([
      "entry 10 was dropped from the journal, by no retention class",
      "entry 2 was dropped from the journal: no entry of the log says that it was deleted",
    ]);
  });

  it("only counts in a dry run", async () => {
    await written();
    expect((await apply([{}], true)).map(({ deleted }) => deleted)).toEqual([10]);
    expect((await apply([{}])).map(({ deleted }) => deleted)).toEqual([10]);
    expect(await apply([{}])).toEqual([]);
  });

  it("deletes nothing of a tenant under a legal hold, nor of one that nobody knows", async () => {
    const held = directoryEntry("acme", 1);
    const tenant = { ...held.tenant, legalHold: { since: "2026-01-01T00:00:00Z", reason: "case 7" } };
    await stores.directory.save({ ...held, revision: 2, tenant }, auditSample("acme", nowMs));
    await stores.journal.append(receipt("mine", { tenantId: "other", startedAtMs: longAgo }));
    await stores.journal.append(receipt("whose", { tenantId: "nobody", startedAtMs: longAgo }));
    await written();
    expect((await apply([{}])).map(({ deleted, held: kept }) => [deleted, kept])).toEqual([[1, 11]]);
    expect(await stores.journal.find("acme", "old0")).toBeDefined();
    expect(await stores.journal.find("nobody", "whose")).toBeDefined();
    expect(await stores.journal.find("other", "mine")).toBeUndefined();
  });

  it("deletes nothing that is unsettled, that the tree has not taken in, or that no checkpoint covers", async () => {
    await stores.journal.append(receipt("unsettled", { startedAtMs: longAgo, end: "unsettled" }));
    await signed();
    await stores.journal.append(receipt("unsigned", { startedAtMs: longAgo }));
    await stores.tree.integrate(10);
    await stores.journal.append(receipt("waiting", { startedAtMs: longAgo }));
    await stores.journal.append(receipt("last", { startedAtMs: longAgo }));
    await stores.sumUp();
    expect((await apply([{}])).map(({ deleted }) => deleted)).toEqual([0]);
    for (const id of ["unsettled", "unsigned", "waiting"]) expect(await stores.journal.find("acme", id)).toBeDefined();
  });

  it("deletes the newest as well, and yet no row id comes twice: what comes next is an entry of its own", async () => {
    await stores.journal.append(receipt("unsettled", { startedAtMs: longAgo, end: "unsettled" }));
    await stores.journal.append(receipt("a", { startedAtMs: longAgo }));
    await stores.refusals.append(refusal("no", { startedAtMs: longAgo }));
    await stores.sumUp();
    await signed();
    expect((await apply([{}, { kind: "refusals" }])).map(({ deleted }) => deleted)).toEqual([1, 1]);
    await stores.journal.append(receipt("unsettled"));
    await stores.refusals.append(refusal("again"));
    await stores.sumUp();
    expect(await audit(await signed())).toEqual({ entries: 7, forgotten: 2, problems: [] });
    expect(await (await log()).prove("acme", "unsettled")).toMatchObject({ leafIndex: 5 });
    expect(await (await log()).prove("acme", "again")).toMatchObject({ leafIndex: 6 });
  });

  it("deletes what was corrected as well, and keeps the sums of use until their own class lets them go", async () => {
    await stores.journal.append(receipt("a", { startedAtMs: longAgo, end: "unsettled" }));
    await signed();
    await stores.journal.append(receipt("a", { startedAtMs: longAgo }));
    await written();
    expect((await apply([{}])).map(({ deleted }) => deleted)).toEqual([12]);
    expect((await audit(await signed())).problems).toEqual([]);
    const query = { tenantId: undefined, fromMs: 0, toMs: dueMs, by: [], timeZone: "UTC", most: 10 };
    const requests = async (): Promise<number | undefined> => (await stores.reader.usage(query))[0]?.sums.requests;
    expect(await requests()).toBe(11);
    expect((await apply([{ kind: "usage" }])).map(({ deleted }) => deleted)).toEqual([1]);
    expect(await requests()).toBeUndefined();
  });

  it("deletes old audit entries and key use, and keeps the young", async () => {
    stores.directory.touchKey("acme", "stale", longAgo);
    stores.directory.touchKey("acme", "live", nowMs);
    clock.advance(120_000);
    await new Promise((resolve) => setImmediate(resolve));
    const counts = await apply([{ kind: "audit" }, { kind: "key_use" }]);
    expect(new Map(counts.map(({ kind, deleted }) => [kind, deleted]))).toEqual(
      new Map([
        ["audit", 1],
        ["key_use", 1],
      ]),
    );
    expect([...(await stores.directory.lastUsed("acme")).keys()]).toEqual(["live"]);
    expect((await stores.directory.audit(undefined, 10)).map(({ tenantId }) => tenantId)).toEqual(["other"]);
  });

  it("gives the turn to one process, once a day", async () => {
    const second = openSqliteStores(directory, clock);
    expect(await stores.retention.takeTurn(1_000)).toBe(true);
    expect(await second.retention.takeTurn(1_000)).toBe(false);
    clock.advance(1_000);
    expect(await second.retention.takeTurn(1_000)).toBe(true);
    second.close();
  });

  it("goes over many in small steps", async () => {
    for (let index = 0; index < 900; index += 1)
      await stores.journal.append(receipt(`r${index}`, { startedAtMs: longAgo + index }));
    await stores.sumUp();
    const before = await signed();
    expect((await apply([{}])).map(({ deleted }) => deleted)).toEqual([900]);
    expect(await audit(before, await signed())).toEqual({ entries: 905, forgotten: 900, problems: [] });
  });
});
