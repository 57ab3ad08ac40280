import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { postgresMigrations } from "../../src/runtime/node/postgres-schema.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { strait } from "./cli-fixture.ts";

// Each run is a process of its own, and several tests need some of them one after another.
vi.setConfig({ testTimeout: 30_000 });

const names = postgresMigrations.map(({ name }) => name);

test("strait migrate without an address says which variable to set, with exit code 2", async () => {
  const run = await strait(["migrate"]);
  expect(run.code).toBe(2);
  expect(run.stderr).toContain("Set STRAIT_DATABASE_URL");
});

test("a database that is not there is exit code 3, and its password is not shown", async () => {
  const run = await strait(["migrate"], { STRAIT_DATABASE_URL: "postgres://strait:hush-hush@127.0.0.1:1/strait" });
  expect(run.code).toBe(3);
  expect(run.stderr).toContain("ECONNREFUSED");
  expect(run.stderr + run.stdout).not.toContain("hush-hush");
});

describeOnPostgres("strait migrate", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  test("shows what is missing without a change, applies it, and then finds nothing to do", async () => {
    const STRAIT_DATABASE_URL = await server.createDatabase();
    for (const _ of [1, 2]) {
      const dry = await strait(["migrate", "--dry-run", "--json"], { STRAIT_DATABASE_URL });
      expect([dry.code, JSON.parse(dry.stdout)]).toEqual([0, { dryRun: true, migrations: names }]);
    }
    const applied = await strait(["migrate"], { STRAIT_DATABASE_URL });
    expect([applied.code, applied.stdout]).toEqual([0, `Applied:\n${names.map((name) => `  ${name}\n`).join("")}`]);
    expect((await strait(["migrate"], { STRAIT_DATABASE_URL })).stdout).toBe("The schema is up to date.\n");
    expect((await strait(["migrate", "--dry-run"], { STRAIT_DATABASE_URL })).stdout).toBe("The schema is up to date.\n");
  });

  test("a schema newer than this Strait is refused, with exit code 1", async () => {
    const STRAIT_DATABASE_URL = await server.createDatabase();
    await strait(["migrate"], { STRAIT_DATABASE_URL });
    await server.query("INSERT INTO strait.migration (version, name) VALUES (9999, 'later')", [], STRAIT_DATABASE_URL);
    const run = await strait(["migrate"], { STRAIT_DATABASE_URL });
    expect([run.code, run.stderr]).toEqual([1, expect.stringContaining("Start the newer Strait")]);
  });
});
