import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RetentionOrder } from "../../src/control/retention.ts";
import type { RetentionFailure } from "../../src/retention/retention-run.ts";
import { served, type Served } from "./cli-fixture.ts";

describe("strait retention", () => {
  const asked: RetentionOrder[] = [];
  let failures: RetentionFailure[] = [];
  let gateway: Served;
  beforeAll(async () => {
    gateway = await served({
      applyRetention: async (order) => {
        asked.push(order);
        const times = { beforeMs: 2_000, oldestMs: 0, newestMs: 1_000 };
        return { counts: [{ kind: "receipts", className: "five-years", deleted: 3, held: 2, ...times }], failures };
      },
    });
    await gateway.run(["tenant", "add", "acme", "--name", "Acme"]);
  });
  afterAll(() => gateway.stop());

  it("shows what is deleted when, and deletes or counts it", async () => {
    expect(await gateway.run(["retention", "show"])).toMatchObject({ code: 0 });
    const dry = await gateway.run(["retention", "apply", "--dry-run", "--json"]);
    expect(JSON.parse(dry.stdout)).toMatchObject({ dryRun: true, counts: [{ records: "receipts", deleted: 3, held: 2 }] });
    const done = await gateway.run(["retention", "apply"]);
    expect(done).toMatchObject({ code: 0, stdout: expect.stringContaining("five-years") });
    expect(asked).toMatchObject([
      { dryRun: true, actor: "operator" },
      { dryRun: false, actor: "operator" },
    ]);
    expect(await gateway.run(["retention", "apply", "--before", "yesterday"])).toMatchObject({ code: 2 });
  });

  it("says what was deleted until it failed, and that it did", async () => {
    failures = [{ kind: "receipts", tenantId: "acme", error: "StoreUnavailable: password" }];
    const run = await gateway.run(["retention", "apply"]);
    expect(run).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("five-years"),
      stderr: expect.stringContaining("receipts of acme"),
    });
    expect(run.stderr).not.toContain("password");
    const shown = await gateway.run(["retention", "apply", "--json"]);
    expect(shown.code).toBe(1);
    expect(JSON.parse(shown.stdout)).toMatchObject({
      counts: [{ deleted: 3 }],
      failed: ["receipts"],
      failedTenants: ["acme"],
    });
    failures = [];
  });

  it("holds and releases a tenant, on record", async () => {
    expect(await gateway.run(["retention", "hold", "acme"])).toMatchObject({ code: 2 });
    expect(await gateway.run(["retention", "hold", "nobody", "--reason", "case 7"])).toMatchObject({ code: 1 });
    expect(await gateway.run(["retention", "hold", "acme", "--reason", "case 7"])).toMatchObject({ code: 0 });
    expect((await gateway.run(["tenant", "show", "acme"])).stdout).toContain("case 7");
    expect(await gateway.run(["retention", "release", "acme"])).toMatchObject({ code: 0 });
    expect((await gateway.run(["tenant", "show", "acme"])).stdout).not.toContain("case 7");
    const { stdout } = await gateway.run(["audit", "acme"]);
    expect(stdout).toContain("retention.hold");
    expect(stdout).toContain("retention.release");
  });
});
