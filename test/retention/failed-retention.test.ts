import { describe, expect, it } from "vitest";
import { deleteDue, failureDocument, recordedRetention } from "../../src/control/retention.ts";
import type { Policy, RecordKind, RetentionClass } from "../../src/region/policy.ts";
import type { RetainedRecord, RetainedRecords } from "../../src/retention/retained-records.ts";
import { PolicyShelf } from "../../src/bundle/policy-shelf.ts";
import { catalogue, control, type Fixture } from "../control/control-fixture.ts";
import { directoryEntry } from "../stores/samples.ts";
import { openPolicy } from "../support/permits.ts";

const longAgo = Date.parse("2020-01-01T00:00:00Z");
const fiveYears: RetentionClass = {
  months: 60,
  records: new Set(["receipts", "audit"]),
  tiers: undefined,
  makers: undefined,
};
const policy: Policy = { ...openPolicy, retention: new Map([["five-years", fiveYears]]) };

/** Old records of one kind in pages of ten; what `forget` does first is the test's. */
class Shelf implements RetainedRecords {
  readonly kind: RecordKind;
  readonly #left: RetainedRecord[];
  readonly #beforeForgetting: (left: number) => void;

  constructor(kind: RecordKind, count: number, beforeForgetting: (left: number) => void = () => undefined) {
    this.kind = kind;
    this.#left = Array.from({ length: count }, (_, index) => ({
      id: String(index).padStart(3, "0"),
      tenantId: "acme",
      atMs: longAgo + index,
      model: "gpt-5",
    }));
    this.#beforeForgetting = beforeForgetting;
  }

  get left(): number {
    return this.#left.length;
  }

  async page(from: string | undefined): Promise<{ records: RetainedRecord[]; next: string | undefined }> {
    const records = this.#left.filter(({ id }) => id > (from ?? "")).slice(0, 10);
    return { records, next: records.at(-1)?.id };
  }

  async forget(records: readonly RetainedRecord[]): Promise<number> {
    this.#beforeForgetting(this.left);
    this.#left.splice(0, records.length);
    return records.length;
  }
}

async function run(
  fixture: Fixture,
  records: readonly RetainedRecords[],
  dryRun = false,
  stopping?: AbortSignal,
): Promise<unknown> {
  await fixture.directory.save(directoryEntry("acme", 1), {
    id: "1",
    at: "",
    actor: "",
    action: "",
    tenantId: "acme",
    detail: {},
  });
  const { ports } = fixture;
  const world = { catalogue, policy };
  const shelf = new PolicyShelf({ file: "policy.toml", world, signed: undefined, keyId: undefined }, [], []);
  const apply = recordedRetention({ ...ports, records, nowMs: () => ports.clock.nowMs(), stopping });
  const outcome = await deleteDue({ ...ports, ageClock: ports.clock, policies: () => shelf, applyRetention: apply }, "gateway", {
    dryRun,
  });
  return outcome.ok ? { counts: outcome.value.counts, ...failureDocument(outcome.value) } : outcome.refusal;
}

describe("retention that fails before its end", () => {
  it("writes into the audit what was deleted until then and which kind failed, and deletes the other kinds", async () => {
    const fixture = control();
    const broken = new Shelf("receipts", 40, (left) => {
      if (left <= 20) throw new Error("disk full");
    });
    const audit = new Shelf("audit", 5);
    expect(await run(fixture, [broken, audit])).toMatchObject({
      counts: [
        { kind: "receipts", deleted: 20, oldestMs: longAgo, newestMs: longAgo + 19 },
        { kind: "audit", deleted: 5 },
      ],
      failed: ["receipts"],
    });
    expect([broken.left, audit.left]).toEqual([20, 0]);
    const [entry] = await fixture.directory.audit("*", 1);
    expect(entry).toMatchObject({
      actor: "gateway",
      action: "retention.apply",
      detail: {
        deleted: [
          { records: "receipts", retentionClass: "five-years", deleted: 20 },
          { records: "audit", deleted: 5 },
        ],
        failed: ["receipts"],
      },
    });
    expect(fixture.logged).toEqual([
      {
        level: "error",
        message: "not all records that are due could be deleted",
        fields: { records: "receipts", error: "Error: disk full" },
      },
    ]);
  });

  it("is on record also where nothing was deleted, and in no dry run", async () => {
    const fixture = control();
    const broken = (): Shelf =>
      new Shelf("receipts", 40, () => {
        throw new Error("disk full");
      });
    expect(await run(fixture, [broken()], true)).toMatchObject({ counts: [{ deleted: 40 }], failed: [] });
    expect(await fixture.directory.audit("*", 10)).toEqual([]);
    expect(await run(fixture, [broken()])).toMatchObject({ counts: [], failed: ["receipts"] });
    expect(await fixture.directory.audit("*", 10)).toMatchObject([{ detail: { deleted: [], failed: ["receipts"] } }]);
  });

  it("begins no batch after it was told to stop, and says so", async () => {
    const fixture = control();
    const stopping = new AbortController();
    const receipts = new Shelf("receipts", 40, () => stopping.abort(new Error("the gateway stops")));
    const audit = new Shelf("audit", 5);
    const report = await run(fixture, [receipts, audit], false, stopping.signal);
    expect(report).toMatchObject({ counts: [{ kind: "receipts", deleted: 10 }], failed: ["receipts", "audit"] });
    expect([receipts.left, audit.left]).toEqual([30, 5]);
  });
});
