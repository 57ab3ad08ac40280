import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RetentionOrder } from "../../src/control/retention.ts";
import type { RetentionStore } from "../../src/retention/retention-store.ts";
import type { RetentionRun } from "../../src/retention/retention-run.ts";
import type { RetentionTerms } from "../../src/retention/retention-terms.ts";
import { auditEntry, directoryEntry, receipt } from "../stores/samples.ts";
import type { LogWorld, ReaderWorld, RetentionWorld } from "../stores/store-world.ts";
import { refusal } from "../transparency/log-fixture.ts";
import { auditOf } from "./audit-of.ts";
import { retentionWorld } from "./retention-world.ts";

const longAgo = Date.parse("2020-01-01T00:00:00Z");
const dueMs = longAgo + 1_000_000;
const kinds = ["receipts", "refusals"] as const;
const due: RetentionTerms = {
  policyVersion: "7",
  policyDigest: "digest",
  terms: kinds.map((kind) => ({ kind, className: "five-years", beforeMs: dueMs, models: undefined })),
};

const order: RetentionOrder = { terms: due, dryRun: false, actor: "operator" };

export type SharedWorld = ReaderWorld & LogWorld & { readonly retention: RetentionStore };

/** What holds where several processes share stores and one log: they take turns, and are not in each other's way. */
export function sharedRetentionContract(name: string, openWorld: () => SharedWorld | Promise<SharedWorld>): void {
  describe(`retention of several processes: ${name}`, () => {
    let stores: SharedWorld;
    let world: RetentionWorld;
    beforeEach(async () => {
      stores = await openWorld();
      world = await retentionWorld(stores);
      await world.directory.save(directoryEntry("acme", 1), auditEntry("audit_1", "acme"));
    });
    afterEach(() => world.close());

    it("gives the turn to one of them, and again once its time is over", async () => {
      const turns = await Promise.all([1, 2, 3].map(() => stores.retention.takeTurn(3_600_000)));
      expect(turns.filter(Boolean)).toHaveLength(1);
      expect(await stores.retention.takeTurn(3_600_000)).toBe(false);
      expect(await stores.retention.takeTurn(0)).toBe(true);
      await world.restart();
      expect(await stores.retention.takeTurn(3_600_000)).toBe(false);
    });

    it("deletes nothing that is in the tree and under no checkpoint", async () => {
      await world.journal.append(receipt("signed", { startedAtMs: longAgo }));
      await world.refusals.append(refusal("signed_no", { startedAtMs: longAgo }));
      await world.log("acme").advance();
      await world.journal.append(receipt("unsigned", { startedAtMs: longAgo }));
      await world.refusals.append(refusal("unsigned_no", { startedAtMs: longAgo }));
      await world.sumUp();
      while ((await stores.tree.integrate(10)) > 0);
      expect(deletedOf(await world.applyRetention(order))).toBe(2);
      expect(await world.journal.find("acme", "signed")).toBeUndefined();
      expect(await world.journal.find("acme", "unsigned")).toBeDefined();
      expect(await world.refusals.find("acme", "unsigned_no")).toBeDefined();
      await world.log("acme").advance();
      expect(deletedOf(await world.applyRetention(order))).toBe(2);
    });

    it("deletes and counts each record once where two apply at the same time while others write and sign", async () => {
      const count = 450;
      await Promise.all(
        Array.from({ length: count }, (_, index) =>
          world.journal.append(receipt(`old${index}`, { startedAtMs: longAgo + index })),
        ),
      );
      await Promise.all(
        Array.from({ length: count }, (_, index) =>
          world.refusals.append(refusal(`no${index}`, { startedAtMs: longAgo + index })),
        ),
      );
      await world.sumUp();
      await world.log("acme").advance();
      const applied = new AbortController();
      let written = 0;
      const writing = (async () => {
        for (; !applied.signal.aborted; written += 1) {
          await world.journal.append(receipt(`new${written}`, { startedAtMs: world.nowMs() }));
          await world.log("acme").advance();
        }
      })();
      const runs = await Promise.all([world.applyRetention(order), world.applyRetention(order)]);
      applied.abort();
      await writing;
      expect(runs.flatMap(({ failures }) => failures)).toEqual([]);
      expect(runs.map(deletedOf).reduce((all, one) => all + one, 0)).toBe(2 * count);
      const report = await auditOf(world.log("acme"), [await world.log("acme").advance()]);
      expect(report).toMatchObject({ forgotten: 2 * count, problems: [] });
      expect(await world.journal.list("acme", undefined, 10_000)).toHaveLength(written);
    });
  });
}

function deletedOf({ counts }: RetentionRun): number {
  return counts.reduce((all, { deleted }) => all + deleted, 0);
}
