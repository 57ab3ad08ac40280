import { afterAll, beforeAll, expect, it } from "vitest";
import { migratePostgres } from "../../src/runtime/node/postgres-migrate.ts";
import { postgresMigrations } from "../../src/runtime/node/postgres-schema.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { silent } from "./postgres-world.ts";
import { receipt } from "./samples.ts";

describeOnPostgres("migrations of PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  it("are applied by exactly one of eight that start at once, and all eight can work", async () => {
    const address = await server.createDatabase();
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => migratePostgres(address, silent)));
    const names = postgresMigrations.map(({ name }) => name);
    expect(outcomes.filter((applied) => applied.length > 0)).toEqual([names]);
    const rows = await server.query("SELECT version, name FROM strait.migration ORDER BY version", [], address);
    expect(rows).toEqual(names.map((name, place) => ({ version: place + 1, name })));
  });

  it("are found done by later starts, also by a user who may not change the schema", async () => {
    const address = await server.createDatabase();
    await migratePostgres(address, silent);
    expect(await migratePostgres(address, silent)).toEqual([]);
    await server.query("CREATE ROLE plain LOGIN");
    await server.query("GRANT USAGE ON SCHEMA strait TO plain", [], address);
    await server.query("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA strait TO plain", [], address);
    const stores = await openPostgresStores(address.replace("//strait@", "//plain@"), systemClock, silent);
    await stores.journal.append(receipt("a"));
    expect(await stores.journal.find("acme", "a")).toBeDefined();
    await stores.close();
  });

  it("leave nothing behind where one of them fails, and are begun anew by the next", async () => {
    const address = await server.createDatabase();
    await server.query("CREATE SCHEMA strait", [], address);
    await server.query("CREATE TABLE strait.key_use (in_the_way int)", [], address);
    await expect(migratePostgres(address, silent)).rejects.toThrow("key_use");
    expect(await server.query("SELECT to_regclass('strait.receipt') AS receipt", [], address)).toEqual([{ receipt: null }]);
    await server.query("DROP TABLE strait.key_use", [], address);
    expect(await migratePostgres(address, silent)).toHaveLength(postgresMigrations.length);
  });

  it("refuse a database that a newer Strait has written", async () => {
    const address = await server.createDatabase();
    await migratePostgres(address, silent);
    await server.query("INSERT INTO strait.migration (version, name) VALUES (999, 'of tomorrow')", [], address);
    await expect(migratePostgres(address, silent)).rejects.toThrow("schema version 999");
  });

  it("wait at the start for a server that is not there yet, and give up in time", async () => {
    const address = await server.createDatabase();
    await server.halt();
    const beganMs = performance.now();
    await expect(openPostgresStores(address, systemClock, silent, { startWaitMs: 300 })).rejects.toMatchObject({
      name: "StoreUnavailable",
    });
    expect(performance.now() - beganMs).toBeLessThan(3_000);
    const opening = openPostgresStores(address, systemClock, silent, { startWaitMs: 20_000 });
    await server.resume();
    await (await opening).close();
  });

  it("name no password where the address cannot be read", async () => {
    for (const address of [
      "mysql://strait:hunter2@host/db",
      "postgres://strait:hunter2@ho st:x/db",
      "postgres://strait:hunter2@host:99999/db",
    ]) {
      const error = await migratePostgres(address, silent).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Error);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("hunter2");
    }
  });
});
