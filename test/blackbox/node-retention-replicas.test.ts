import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { newLogKey } from "../../src/runtime/node/log-key.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { firstIdAt } from "../../src/request-id.ts";
import { silent } from "../stores/postgres-world.ts";
import { receipt } from "../stores/samples.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { refusal } from "../transparency/log-fixture.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import { eventually } from "./harness/receipts.ts";
import { listening } from "./harness/start-node.ts";
import { get, strait } from "./harness/strait.ts";

const upstreams = sharedUpstreams();
/** Longer ago than any class keeps what is written here. */
const longAgo = Date.parse("2010-01-01T00:00:00Z");

describeOnPostgres("retention of replicas on PostgreSQL", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await PostgresServer.start();
  }, 30_000);
  afterAll(() => postgres.stop());

  /** What a gateway of these years would have left in the database. */
  async function writeOld(address: string, tenantId: string, ids: readonly string[], refusedId: string): Promise<void> {
    const stores = await openPostgresStores(address, systemClock, silent, { connections: 1 });
    for (const id of ids) await stores.journal.append(receipt(id, { tenantId, model: "gpt-4o-mini", startedAtMs: longAgo }));
    await stores.refusals.append(refusal(refusedId, { tenantId, startedAtMs: longAgo }));
    await stores.close();
  }

  test("is done at one of them and seen at all, spares a tenant under a hold, and leaves the log to be verified", async () => {
    const folder = temporaryFolder();
    const address = await postgres.createDatabase();
    const shared = { STRAIT_DATABASE_URL: address, STRAIT_LOG_KEY: JSON.stringify({ keys: [newLogKey(0)] }) };
    const first = await listening(demo(upstreams(), { ...shared, STRAIT_DATA_DIR: join(folder, "first") }));
    // One after the other: both would make the demonstration's tenants.
    const second = await listening(demo(upstreams(), { ...shared, STRAIT_DATA_DIR: join(folder, "second") }));
    const tenant = await operatorOf(first).addTenant();
    const [id = "", ...others] = [1, 2, 3].map((number) => `${firstIdAt(longAgo)}${number.toString(16).padStart(20, "0")}`);
    const refusedId = `${firstIdAt(longAgo)}${"f".repeat(20)}`;
    await writeOld(address, tenant.id, [id, ...others], refusedId);
    const file = (name: string, text: string): string => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    };
    const keys = file("keys.json", await get(first, "/.well-known/strait/jwks.json"));
    const proof = file("proof.json", await get(second, `/v1/strait/receipts/${id}/proof`, tenant));
    const checkpoint = file("monday.json", await get(first, "/v1/strait/log/checkpoint", tenant));
    const isTold = (url: string): Promise<string> => get(url, `/v1/strait/receipts/${id}`, tenant);
    const apply = async (url: string, ...more: readonly string[]): Promise<readonly (readonly [string, number, number])[]> => {
      const report = await strait("retention", "apply", "--json", "--url", url, ...more);
      const { counts, failed } = JSON.parse(report) as Report;
      expect(failed).toEqual([]);
      return counts.map((count) => [count.records, count.deleted, count.held]);
    };

    await strait("retention", "hold", tenant.id, "--reason", "case 7", "--url", first);
    await eventually(async () =>
      expect(await apply(second)).toEqual([
        ["receipts", 0, 3],
        ["refusals", 0, 1],
      ]),
    );
    await isTold(second);
    const exported = (): Promise<string> =>
      strait("export", "--kind", "refusals", "--format", "jsonl", "--from", "2009-12-01", "--url", first);
    expect(await exported()).toContain(refusedId);
    await strait("retention", "release", tenant.id, "--url", first);
    const due = [
      ["receipts", 3, 0],
      ["refusals", 1, 0],
    ];
    await eventually(async () => expect(await apply(second, "--dry-run")).toEqual(due));
    await isTold(second);
    expect(await apply(second)).toEqual(due);

    for (const url of [first, second]) {
      await expect(isTold(url)).rejects.toThrow("answered with 404");
      await expect(get(url, `/v1/strait/receipts/${id}/proof`, tenant)).rejects.toThrow("answered with 404");
      await expect(get(url, `/v1/strait/receipts/${refusedId}`, tenant)).rejects.toThrow("answered with 404");
    }
    expect(await strait("receipt", "verify", proof, "--key", keys)).toContain(`Proved: ${id} is entry`);
    const auditing = ["log", "audit", tenant.id, "--key", keys, "--checkpoint", checkpoint, "--url", first];
    await eventually(async () => expect(await strait(...auditing)).toContain("of 4 only the hash is kept"));
    expect(await exported()).toBe("");
    expect(await strait("audit", "--url", first)).toContain("retention.apply");
  }, 90_000);
});

interface Report {
  readonly counts: readonly { readonly records: string; readonly deleted: number; readonly held: number }[];
  readonly failed: readonly string[];
}
