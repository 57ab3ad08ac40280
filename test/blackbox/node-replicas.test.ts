import { afterAll, beforeAll, expect, test } from "vitest";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import type { Child } from "./harness/child.ts";
import { openaiClient } from "./harness/clients.ts";
import { demo, operatorOf, sharedUpstreams, started, temporaryFolder } from "./harness/one-test.ts";
import { eventually } from "./harness/receipts.ts";
import { listening } from "./harness/start-node.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const password = "a-password-of-the-test";
const upstreams = sharedUpstreams();
const limits = [
  { name: "asked", unit: "requests", window: "day", ceiling: 10 },
  { name: "daily", unit: "tokens", window: "day", ceiling: 1_000_000 },
  { name: "spend", unit: "micro_usd", window: "month", ceiling: 100_000_000 },
] as const;

interface Reconciliation {
  readonly counters: readonly { readonly counter: string; readonly counted: number; readonly verdict: string }[];
}

test("a quota address that cannot be read stops the start, and is not printed", async () => {
  const child = started(["--demo"], {
    STRAIT_DATA_DIR: temporaryFolder(),
    STRAIT_QUOTA_URL: `http://:${password}@127.0.0.1:6379`,
  });
  expect(await child.exited).toBe(2);
  expect(child.output).toMatch(/STRAIT_QUOTA_URL must look like redis:\/\//);
  expect(child.output).not.toContain(password);
}, 30_000);

describeOnValkey("replicas on one Valkey", () => {
  let valkey: ValkeyServer;
  beforeAll(async () => {
    valkey = await ValkeyServer.start({ password });
  }, 20_000);
  afterAll(() => valkey.stop());

  describeOnPostgres("and one PostgreSQL", () => {
    let postgres: PostgresServer;
    beforeAll(async () => {
      postgres = await PostgresServer.start();
    }, 30_000);
    afterAll(() => postgres.stop());

    test("admit exactly what a limit allows, refuse at once while Valkey is away, and know what was used when it comes back empty", async () => {
      const shared = { STRAIT_QUOTA_URL: valkey.address, STRAIT_DATABASE_URL: await postgres.createDatabase() };
      const start = (): Child => demo(upstreams(), { ...shared, STRAIT_DATA_DIR: temporaryFolder() });
      const replicas = [start()];
      const first = await listening(replicas[0] as Child);
      // One after the other: both would make the demonstration's tenants.
      replicas.push(start());
      const second = await listening(replicas[1] as Child);
      const tenant = await operatorOf(first).addTenant({ limits });
      const clients = [first, second].map((url) => openaiClient(url, tenant.key));
      const ask = async (index: number): Promise<unknown> => {
        try {
          await clients[index % 2]?.chat.completions.create({ model: "gpt-4o-mini", messages });
          return undefined;
        } catch (error) {
          return error;
        }
      };
      const reconciled = (url: string): Promise<Reconciliation> =>
        operatorOf(url).ask<Reconciliation>("GET", `/tenants/${tenant.id}/reconciliation`);

      const before = await Promise.all(Array.from({ length: 6 }, (_, index) => ask(index)));
      expect(before.every((error) => error === undefined)).toBe(true);
      const counted = await reconciled(second);
      expect(counted.counters.map(({ verdict }) => verdict)).toEqual(["equal", "equal", "equal"]);

      await valkey.kill();
      await eventually(async () => {
        const startMs = performance.now();
        const refused = await ask(0);
        expect(refused).toMatchObject({ status: 503 });
        expect((refused as { headers: Headers }).headers.get("retry-after")).toBe("1");
        expect(performance.now() - startMs).toBeLessThan(400);
      });
      await valkey.resume();
      await eventually(async () => expect((await reconciled(first)).counters).toEqual(counted.counters), 15_000);

      const after = await Promise.all(Array.from({ length: 12 }, (_, index) => ask(index)));
      expect(after.filter((error) => error === undefined)).toHaveLength(4);
      for (const error of after.filter((one) => one !== undefined)) expect(error).toMatchObject({ status: 429 });
      expect((await reconciled(second)).counters.find(({ counter }) => counter === "asked")).toMatchObject({
        counted: 10,
        verdict: "equal",
      });
      for (const replica of replicas) {
        expect(replica.output).toContain("Valkey lost its data");
        expect(replica.output).not.toContain(password);
      }
    }, 90_000);
  });
});
