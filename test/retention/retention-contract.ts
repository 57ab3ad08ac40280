import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Receipt, RefusalReceipt } from "../../src/ledger/receipt.ts";
import type { RetentionCount } from "../../src/retention/retention-run.ts";
import type { RetentionTerm } from "../../src/retention/retention-terms.ts";
import type { AuditEntry } from "../../src/tenant/directory.ts";
import type { AuditReport } from "../../src/transparency/audit-log.ts";
import { readDeletion, type DeletionStatement } from "../../src/transparency/deletion-statement.ts";
import type { StoredCheckpoint } from "../../src/transparency/log-store.ts";
import { verifyReceiptProof } from "../../src/transparency/receipt-proof.ts";
import { requestIdAt } from "../stores/journal-reader-contract.ts";
import { auditEntry, directoryEntry, receipt } from "../stores/samples.ts";
import { worldBeginsMs, type RetentionWorld } from "../stores/store-world.ts";
import { refusal } from "../transparency/log-fixture.ts";
import { sha256Bytes } from "../transparency/sha256.ts";
import { auditOf, shownBy } from "./audit-of.ts";

const longAgo = Date.parse("2020-01-01T00:00:00Z");
const dueMs = Date.parse("2021-03-31T00:00:00Z");
const farMs = Date.parse("2100-01-01T00:00:00Z");
const dayMs = 24 * 3_600_000;
/** `held` is under a legal hold. */
const tenants = ["acme", "other", "held"] as const;

type ToldTenant = (typeof tenants)[number];

/**
 * What retention does over whatever stores a gateway has. Imports nothing of a runtime. `runs`: how many histories are
 * drawn, the fewer the further away the store is.
 */
export function retentionContract(name: string, openWorld: () => RetentionWorld | Promise<RetentionWorld>, runs = 20): void {
  // On a machine that does other things as well, a store that is far away is slow.
  describe(`retention: ${name}`, { timeout: 20_000 }, () => {
    let world: RetentionWorld;
    let checkpoints: Map<ReturnType<RetentionWorld["log"]>, StoredCheckpoint[]>;
    beforeEach(begin);
    afterEach(() => world.close());

    async function begin(): Promise<void> {
      world = await openWorld();
      checkpoints = new Map();
      for (const id of tenants) await world.directory.save(tenant(id), audited(id, worldBeginsMs));
    }

    /** Puts all that was written under a signature, and keeps what was signed. */
    async function sign(): Promise<void> {
      await world.sumUp();
      for (const log of new Set(tenants.map((id) => world.log(id)))) {
        checkpoints.set(log, [...(checkpoints.get(log) ?? []), await log.advance()]);
      }
    }

    async function apply(terms: readonly Partial<RetentionTerm>[], dryRun = false): Promise<readonly RetentionCount[]> {
      const filled = terms.map((term): RetentionTerm => ({
        kind: "receipts",
        className: "five-years",
        beforeMs: dueMs,
        models: undefined,
        ...term,
      }));
      const run = await world.applyRetention({
        terms: { policyVersion: "7", policyDigest: "digest", terms: filled },
        dryRun,
        actor: "operator",
      });
      expect(run.failures).toEqual([]);
      return run.counts;
    }

    /** What an auditor who kept every checkpoint finds in all logs. */
    async function audit(): Promise<AuditReport> {
      await sign();
      const reports = await Promise.all([...checkpoints].map(([log, kept]) => auditOf(log, kept)));
      return {
        entries: reports.reduce((sum, { entries }) => sum + entries, 0),
        forgotten: reports.reduce((sum, { forgotten }) => sum + forgotten, 0),
        seesDropped: reports.every(({ seesDropped }) => seesDropped),
        problems: reports.flatMap(({ problems }) => problems),
      };
    }

    async function statements(tenantId: ToldTenant): Promise<readonly DeletionStatement[]> {
      const entries = await shownBy(world.log(tenantId));
      return entries.flatMap(({ document }) => (document === null ? [] : (readDeletion(document) ?? [])));
    }

    /** Something of each tenant that is never due. */
    async function writeYoung(mark = 0): Promise<void> {
      for (const tenantId of tenants) {
        await world.journal.append(receipt(`young${mark}`, { tenantId, startedAtMs: worldBeginsMs - 1_000 }));
        await world.refusals.append(refusal(requestIdAt(worldBeginsMs, mark), { tenantId, startedAtMs: worldBeginsMs - 1_000 }));
      }
    }

    /** Ten old receipts, four old refusals, and what is young. */
    async function writeOld(tenantId: ToldTenant): Promise<void> {
      for (let index = 0; index < 10; index += 1) {
        const model = index % 2 === 0 ? "even" : "odd";
        await world.journal.append(receipt(`old${index}`, { tenantId, startedAtMs: longAgo + index, model }));
      }
      for (let index = 0; index < 4; index += 1)
        await world.refusals.append(refusal(requestIdAt(longAgo, index), { tenantId, startedAtMs: longAgo + index }));
      await writeYoung();
    }

    async function write(one: Drawn, requestId: string): Promise<Written> {
      const { kind, tenantId, atMs: startedAtMs, model, isOpen } = one;
      if (kind === "refusals") await world.refusals.append(refusal(requestId, { tenantId, startedAtMs }));
      else
        await world.journal.append(receipt(requestId, { tenantId, startedAtMs, model, end: isOpen ? "unsettled" : "completed" }));
      return { ...one, requestId, isSigned: false, isDeleted: false };
    }

    function find({ kind, tenantId, requestId }: Written): Promise<Receipt | RefusalReceipt | undefined> {
      return kind === "refusals" ? world.refusals.find(tenantId, requestId) : world.journal.find(tenantId, requestId);
    }

    async function requests(tenantId?: ToldTenant): Promise<number> {
      const query = { tenantId, fromMs: 0, toMs: farMs, by: [], timeZone: "UTC", most: 10 } as const;
      return (await world.reader.usage(query))[0]?.sums.requests ?? 0;
    }

    it("deletes what is due and leaves the log as it was signed, with the proofs that were given", async () => {
      await writeOld("acme");
      await sign();
      const log = world.log("acme");
      const [before] = checkpoints.get(log) ?? [];
      const proof = await log.prove("acme", "old3");
      const counts = await apply([{}, { kind: "refusals" }]);
      expect(counts).toEqual([
        expect.objectContaining({ kind: "receipts", deleted: 10, held: 0, oldestMs: longAgo, newestMs: longAgo + 9 }),
        expect.objectContaining({ kind: "refusals", deleted: 4, held: 0, oldestMs: longAgo, newestMs: longAgo + 3 }),
      ]);
      expect(await audit()).toMatchObject({ forgotten: 14, problems: [] });
      expect(await world.journal.find("acme", "old3")).toBeUndefined();
      expect(await world.journal.list("acme", undefined, 100)).toHaveLength(1);
      const ofAcme = { tenantId: "acme", fromMs: 0, toMs: farMs, after: undefined, count: 100 };
      expect(await world.reader.scan(ofAcme)).toHaveLength(1);
      expect(await world.refusals.find("acme", requestIdAt(longAgo, 1))).toBeUndefined();
      expect(await world.reader.scanRefusals(ofAcme)).toHaveLength(1);
      expect(await world.journal.find("acme", "young0")).toBeDefined();
      expect(await world.refusals.find("acme", requestIdAt(worldBeginsMs, 0))).toBeDefined();
      expect(await log.prove("acme", "old3")).toBe("absent");
      expect(await log.prove("acme", requestIdAt(longAgo, 1))).toBe("absent");
      expect(await verifyReceiptProof(JSON.stringify(proof), world.publicKeys, sha256Bytes)).toMatchObject({ ok: true });
      expect(await log.consistency(before?.size ?? 0)).toBeDefined();
      const young = await log.prove("acme", "young0");
      expect(await verifyReceiptProof(JSON.stringify(young), world.publicKeys, sha256Bytes)).toMatchObject({ ok: true });
      expect(await world.directory.audit("*", 10)).toMatchObject([
        { actor: "operator", action: "retention.apply", detail: { deleted: [{ deleted: 10 }, { deleted: 4 }], failed: [] } },
      ]);
    });

    it("says in the log itself which entries went, by which class and policy", async () => {
      await writeOld("acme");
      await sign();
      const entries = await shownBy(world.log("acme"));
      const odd = entries.filter(({ document }) => document?.includes('"model":"odd"')).map(({ leafIndex }) => leafIndex);
      await apply([{ models: ["odd"] }]);
      expect(await statements("acme")).toEqual([
        {
          schema: "strait.deletion.v1",
          retentionClass: "five-years",
          beforeMs: dueMs,
          policyVersion: "7",
          policyDigest: "digest",
          deletedAtMs: world.nowMs(),
          leaves: odd.map((leaf) => [leaf, 1]),
        },
      ]);
      const gone = (await shownBy(world.log("acme"))).filter(({ forgotten }) => forgotten !== null);
      expect(gone.map(({ leafIndex, document, forgotten }) => [leafIndex, document, forgotten])).toEqual(
        odd.map((leaf) => [leaf, null, "five-years"]),
      );
    });

    it("only counts in a dry run, and finds nothing the second time", async () => {
      await writeOld("acme");
      await sign();
      const terms = [{}, { kind: "refusals" }] as const;
      expect((await apply(terms, true)).map(({ deleted }) => deleted)).toEqual([10, 4]);
      expect((await apply(terms)).map(({ deleted }) => deleted)).toEqual([10, 4]);
      expect(await apply(terms)).toEqual([]);
      expect(await audit()).toMatchObject({ forgotten: 14, problems: [] });
    });

    it("deletes nothing of a tenant under a legal hold, until it is released", async () => {
      await writeOld("held");
      await world.journal.append(receipt("mine", { tenantId: "other", startedAtMs: longAgo }));
      await writeYoung(2);
      await sign();
      expect((await apply([{}])).map(({ deleted, held }) => [deleted, held])).toEqual([[1, 10]]);
      expect(await world.journal.find("held", "old0")).toBeDefined();
      expect(await world.journal.find("other", "mine")).toBeUndefined();
      await world.directory.save({ ...directoryEntry("held", 2) }, audited("held", worldBeginsMs));
      expect((await apply([{}])).map(({ deleted, held }) => [deleted, held])).toEqual([[10, 0]]);
      expect(await audit()).toMatchObject({ forgotten: 11, problems: [] });
    });

    it("deletes nothing of a tenant that nobody knows: it may be under a hold", async () => {
      await world.journal.append(receipt("whose", { tenantId: "nobody", startedAtMs: longAgo }));
      await writeOld("acme");
      await sign();
      await world.log("nobody").advance();
      expect((await apply([{}])).map(({ deleted }) => deleted)).toEqual([10]);
      expect(await world.journal.find("nobody", "whose")).toBeDefined();
    });

    it("deletes nothing that is unsettled, or that no checkpoint covers yet", async () => {
      await world.journal.append(receipt("unsettled", { startedAtMs: longAgo, end: "unsettled" }));
      await world.journal.append(receipt("settled", { startedAtMs: longAgo }));
      await world.refusals.append(refusal("no", { startedAtMs: longAgo }));
      await writeYoung();
      await sign();
      await world.journal.append(receipt("waiting", { startedAtMs: longAgo }));
      await world.refusals.append(refusal("no_waiting", { startedAtMs: longAgo }));
      await writeYoung(2);
      await world.sumUp();
      expect((await apply([{}, { kind: "refusals" }])).map(({ deleted }) => deleted)).toEqual([1, 1]);
      for (const id of ["unsettled", "waiting"]) expect(await world.journal.find("acme", id)).toBeDefined();
      expect(await world.refusals.find("acme", "no_waiting")).toBeDefined();
      await sign();
      expect((await apply([{}, { kind: "refusals" }])).map(({ deleted }) => deleted)).toEqual([1, 1]);
      expect(await world.journal.find("acme", "unsettled")).toBeDefined();
    });

    it("deletes what was corrected as well, and keeps the sums of use until their own class lets them go", async () => {
      await world.journal.append(receipt("a", { startedAtMs: longAgo, end: "unsettled" }));
      await sign();
      await world.journal.append(receipt("a", { startedAtMs: longAgo }));
      await writeOld("acme");
      await sign();
      await apply([{}]);
      expect(await world.journal.find("acme", "a")).toBeUndefined();
      expect(await world.log("acme").prove("acme", "a")).toBe("absent");
      expect(await audit()).toMatchObject({ forgotten: 12, problems: [] });
      expect(await requests("acme")).toBe(12);
      expect((await apply([{ kind: "usage" }])).map(({ kind, deleted }) => [kind, deleted])).toEqual([["usage", 1]]);
      expect(await requests("acme")).toBe(1);
    });

    it("deletes old audit entries and key use, and keeps the young", async () => {
      await world.directory.note(audited("acme", longAgo));
      await world.directory.note(audited("held", longAgo));
      await world.directory.note(audited("*", longAgo));
      world.directory.touchKey("acme", "stale", longAgo);
      world.directory.touchKey("acme", "live", worldBeginsMs);
      world.directory.touchKey("held", "stale", longAgo);
      await world.restart();
      const counts = await apply([{ kind: "audit" }, { kind: "key_use" }]);
      expect(new Map(counts.map(({ kind, deleted, held }) => [kind, [deleted, held]]))).toEqual(
        new Map([
          ["audit", [2, 1]],
          ["key_use", [1, 1]],
        ]),
      );
      expect([...(await world.directory.lastUsed("acme")).keys()]).toEqual(["live"]);
      expect([...(await world.directory.lastUsed("held")).keys()]).toEqual(["stale"]);
      const left = (await world.directory.audit(undefined, 10)).map(({ tenantId, at }) => `${tenantId} ${at.slice(0, 4)}`);
      expect(left.toSorted((a, b) => a.localeCompare(b))).toEqual([
        "* 2026",
        "acme 2026",
        "held 2020",
        "held 2026",
        "other 2026",
      ]);
    });

    it("goes over many in small steps", async () => {
      const old = Array.from({ length: 450 }, (_, index) => receipt(`r${index}`, { startedAtMs: longAgo + index }));
      await Promise.all(old.map((one) => world.journal.append(one)));
      await writeYoung();
      await sign();
      expect((await apply([{}])).map(({ deleted }) => deleted)).toEqual([450]);
      expect(await statements("acme")).toHaveLength(3);
      expect(await audit()).toMatchObject({ forgotten: 450, problems: [] });
    });

    it("deletes just what is due whatever is written, signed and applied in between, and the log and the sums stay true", async () => {
      await fc.assert(
        fc
          .asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), async (steps) => {
            const written: Written[] = [];
            for (const [mark, { kind, drawn, terms }] of steps.entries()) {
              if (kind === "write") {
                for (const [index, one] of drawn.entries()) written.push(await write(one, `drawn${mark}_${index}`));
                await writeYoung(mark);
              } else if (kind === "sign") {
                await sign();
                for (const one of written) one.isSigned = true;
              } else {
                const due = written.filter((one) => terms.some((term) => isDue(one, term)));
                const free = due.filter(({ tenantId }) => tenantId !== "held");
                const counts = await apply(terms);
                expect([sum(counts, "deleted"), sum(counts, "held")]).toEqual([free.length, due.length - free.length]);
                for (const one of free) one.isDeleted = true;
              }
            }
            const deleted = written.filter((one) => one.isDeleted);
            const found = await Promise.all(written.map((one) => find(one)));
            expect(written.filter((_, index) => found[index] === undefined)).toEqual(deleted);
            expect(await audit()).toMatchObject({ forgotten: deleted.length, problems: [] });
            const young = steps.filter(({ kind }) => kind === "write").length * tenants.length;
            expect(await requests()).toBe(written.filter(({ kind }) => kind === "receipts").length + young);
          })
          .beforeEach(async () => {
            await world.close();
            await begin();
          }),
        { numRuns: runs },
      );
    }, 60_000);
  });
}

interface Drawn {
  readonly kind: "receipts" | "refusals";
  readonly tenantId: ToldTenant;
  readonly atMs: number;
  readonly model: string;
  readonly isOpen: boolean;
}

interface Written extends Drawn {
  readonly requestId: string;
  isSigned: boolean;
  isDeleted: boolean;
}

type DrawnTerm = Pick<RetentionTerm, "kind" | "beforeMs" | "models">;

/** Few instants, so that what is drawn lies on both sides of a term and right at it. */
const instant = fc.integer({ min: 0, max: 6 }).map((days) => longAgo + days * dayMs);

const step = fc.record({
  kind: fc.constantFrom("write", "write", "sign", "apply", "apply"),
  drawn: fc.array(
    fc.record<Drawn>({
      kind: fc.constantFrom("receipts", "receipts", "refusals"),
      tenantId: fc.constantFrom(...tenants),
      atMs: instant,
      model: fc.constantFrom("even", "odd"),
      isOpen: fc.constantFrom(true, false, false, false),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  terms: fc.oneof(
    fc
      .record<DrawnTerm>({
        kind: fc.constantFrom("receipts", "refusals"),
        beforeMs: instant,
        models: fc.constant(undefined),
      })
      .map((term) => [term]),
    // As classes that narrow by tier: one model is kept for longer than the other, or only one is ever deleted.
    fc
      .tuple(instant, fc.option(instant))
      .map(([oddMs, evenMs]): DrawnTerm[] => [
        { kind: "receipts", beforeMs: oddMs, models: ["odd"] },
        ...(evenMs === null ? [] : [{ kind: "receipts" as const, beforeMs: evenMs, models: ["even"] }]),
      ]),
  ),
});

function isDue(one: Written, { kind, beforeMs, models }: DrawnTerm): boolean {
  if (one.isDeleted || !one.isSigned || one.kind !== kind || one.atMs >= beforeMs) return false;
  return kind === "refusals" || (!one.isOpen && models?.includes(one.model) !== false);
}

function sum(counts: readonly RetentionCount[], of: "deleted" | "held"): number {
  return counts.reduce((all, count) => all + count[of], 0);
}

function tenant(id: ToldTenant): ReturnType<typeof directoryEntry> {
  const entry = directoryEntry(id, 1);
  if (id !== "held") return entry;
  return { ...entry, tenant: { ...entry.tenant, legalHold: { since: "2026-01-01T00:00:00Z", reason: "case 7" } } };
}

function audited(tenantId: string, atMs: number): AuditEntry {
  return { ...auditEntry(`audit_${tenantId}_${atMs}`, tenantId), at: new Date(atMs).toISOString() };
}
