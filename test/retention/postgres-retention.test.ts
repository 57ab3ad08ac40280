import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RetentionOrder } from "../../src/control/retention.ts";
import type { RecordKind } from "../../src/region/policy.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { postgresWorld, silent } from "../stores/postgres-world.ts";
import { auditEntry, directoryEntry, receipt } from "../stores/samples.ts";
import type { RetentionWorld } from "../stores/store-world.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { refusal } from "../transparency/log-fixture.ts";
import { writtenBefore } from "../transparency/written-before.ts";
import { auditOf } from "./audit-of.ts";
import { retentionContract } from "./retention-contract.ts";
import { retentionWorld } from "./retention-world.ts";
import { sharedRetentionContract, type SharedWorld } from "./shared-retention-contract.ts";

const longAgo = Date.parse("2020-01-01T00:00:00Z");
const dueMs = Date.parse("2021-03-31T00:00:00Z");

function order(...kinds: readonly RecordKind[]): RetentionOrder {
  const terms = kinds.map((kind) => ({ kind, className: "five-years", beforeMs: dueMs, models: undefined }));
  return { terms: { policyVersion: "7", policyDigest: "digest", terms }, dryRun: false, actor: "gateway" };
}

describeOnPostgres("retention on PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  retentionContract("PostgreSQL", async () => retentionWorld(await postgresWorld(server)), 10);
  sharedRetentionContract("two replicas on PostgreSQL", () => twoReplicas());

  /** One replica that serves, and another that deletes as well: what is called goes to each of them in turn. */
  async function twoReplicas(): Promise<SharedWorld> {
    const world = await postgresWorld(server);
    const other = await openPostgresStores(world.address, systemClock, silent, { connections: 4 });
    let turn = 0;
    const next = (): SharedWorld["retention"] => (turn++ % 2 === 0 ? world.retention : other.retention);
    return {
      ...world,
      retention: {
        get records() {
          return next().records;
        },
        takeTurn: (everyMs) => next().takeTurn(everyMs),
      },
      async close() {
        await other.close();
        await world.close();
      },
    };
  }

  describe("beside what others do with the database", () => {
    let address: string;
    let world: RetentionWorld;
    beforeEach(async () => {
      const stores = await postgresWorld(server);
      ({ address } = stores);
      world = await retentionWorld(stores);
      await world.directory.save(directoryEntry("acme", 1), auditEntry("audit_1", "acme"));
    });
    afterEach(() => world.close());

    async function deleted(...kinds: readonly RecordKind[]): Promise<readonly (readonly [RecordKind, number])[]> {
      const { counts, failures } = await world.applyRetention(order(...kinds));
      expect(failures).toEqual([]);
      return counts.map((count) => [count.kind, count.deleted]);
    }

    it("deletes receipts of replicas from before there was a log, and says of them in the log what it knew", async () => {
      const write = (one: Receipt): Promise<unknown> => server.query(writtenBefore, [JSON.stringify(one)], address);
      await Promise.all(Array.from({ length: 20 }, (_, index) => write(receipt(`unlogged${index}`, { startedAtMs: longAgo }))));
      await world.log("acme").advance();
      const all = (await Promise.all(Array.from({ length: 6 }, () => deleted("receipts")))).flat();
      expect(all.reduce((sum, [, count]) => sum + count, 0)).toBe(20);
      expect(await auditOf(world.log("acme"), [])).toEqual({ entries: 0, forgotten: 0, seesDropped: true, problems: [] });
      await world.journal.append(receipt("settled_before", { startedAtMs: longAgo, end: "unsettled" }));
      await world.log("acme").advance();
      await write(receipt("settled_before", { startedAtMs: longAgo }));
      expect(await deleted("receipts")).toEqual([["receipts", 1]]);
      expect(await world.log("acme").prove("acme", "settled_before")).toBe("absent");
      expect(await auditOf(world.log("acme"), [await world.log("acme").advance()])).toEqual({
        entries: 2,
        forgotten: 1,
        seesDropped: false,
        problems: [],
      });
    });

    it("keeps a receipt of which one of two entries is not signed yet", async () => {
      await world.journal.append(receipt("a", { startedAtMs: longAgo, end: "unsettled" }));
      await world.log("acme").advance();
      await world.journal.append(receipt("a", { startedAtMs: longAgo }));
      expect(await deleted("receipts")).toEqual([]);
      await world.log("acme").advance();
      expect(await deleted("receipts")).toEqual([["receipts", 1]]);
      expect(await auditOf(world.log("acme"), [await world.log("acme").advance()])).toMatchObject({ forgotten: 2, problems: [] });
    });

    it("leaves no sum of use that limits would still count, and none alone that is still to be merged", async () => {
      await world.journal.append(receipt("merged", { startedAtMs: longAgo }));
      await world.sumUp();
      await world.journal.append(receipt("late", { startedAtMs: longAgo }));
      expect(await deleted("usage")).toEqual([]);
      await world.sumUp();
      expect(await deleted("usage")).toEqual([["usage", 1]]);
      const sql =
        "SELECT FROM strait.usage_slice UNION ALL SELECT FROM strait.used_slice UNION ALL SELECT FROM strait.usage_part";
      expect(await server.query(sql, [], address)).toEqual([]);
    });

    it("leaves what was dropped beside it to be found, also where somebody claims a class for it", async () => {
      for (const id of ["a", "b", "c"]) await world.journal.append(receipt(id, { startedAtMs: longAgo }));
      await world.journal.append(receipt("young", { startedAtMs: dueMs }));
      await world.journal.append(receipt("young2", { startedAtMs: dueMs }));
      await world.log("acme").advance();
      await deleted("receipts");
      const forget = "UPDATE strait.log_entry SET document = NULL, forgotten = $2 WHERE request_id = $1";
      await server.query(forget, ["young", null], address);
      await server.query(forget, ["young2", "five-years"], address);
      expect((await auditOf(world.log("acme"), [await world.log("acme").advance()])).problems).toEqual([
        "entry 3 was dropped from the journal, by no retention class",
        "entry 4 was dropped from the journal: no entry of the log says that it was deleted",
      ]);
    });

    it("deletes the other kinds where one cannot be, and has both on record", async () => {
      await world.journal.append(receipt("a", { startedAtMs: longAgo }));
      await world.refusals.append(refusal("no", { startedAtMs: longAgo }));
      await world.log("acme").advance();
      await server.query("ALTER TABLE strait.key_use RENAME TO key_use_elsewhere", [], address);
      const { counts, failures } = await world.applyRetention(order("receipts", "key_use", "refusals"));
      expect(counts.map(({ kind, deleted: count }) => [kind, count])).toEqual([
        ["receipts", 1],
        ["refusals", 1],
      ]);
      expect(failures).toMatchObject([{ kind: "key_use" }]);
      const [entry] = await world.directory.audit("*", 1);
      expect(entry).toMatchObject({
        action: "retention.apply",
        detail: { deleted: [{ deleted: 1 }, { deleted: 1 }], failed: ["key_use"] },
      });
      await server.query("ALTER TABLE strait.key_use_elsewhere RENAME TO key_use", [], address);
    });

    it("has deleted nothing unsaid where the server crashes in the midst of it, and goes on from there", async () => {
      await Promise.all(
        Array.from({ length: 1_000 }, (_, index) => world.journal.append(receipt(`r${index}`, { startedAtMs: longAgo + index }))),
      );
      const before = await world.log("acme").advance();
      let hasBegun = false;
      const applying = world.applyRetention(order("receipts")).catch((error: unknown) => error);
      while (!hasBegun) {
        const [row] = await server.query<{ count: number }>("SELECT count(*)::int AS count FROM strait.receipt", [], address);
        hasBegun = (row?.count ?? 0) < 1_000;
      }
      await server.halt("immediate");
      await applying;
      await server.resume();
      const left = (await world.journal.list("acme", undefined, 2_000)).length;
      const after = await world.log("acme").advance();
      expect(await auditOf(world.log("acme"), [before, after])).toMatchObject({ forgotten: 1_000 - left, problems: [] });
      expect(await deleted("receipts")).toEqual(left === 0 ? [] : [["receipts", left]]);
      expect(await auditOf(world.log("acme"), [before, await world.log("acme").advance()])).toMatchObject({
        forgotten: 1_000,
        problems: [],
      });
    }, 30_000);
  });
});
