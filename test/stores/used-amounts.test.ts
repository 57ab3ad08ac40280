import { afterAll, beforeAll } from "vitest";
import { ScannedAmounts } from "../../src/ledger/used-amounts.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { silent } from "./postgres-world.ts";
import { sqliteWorld } from "./sqlite-world.ts";
import { usedAmountsContract } from "./used-amounts-contract.ts";

usedAmountsContract("scanned, on SQLite", () => {
  const world = sqliteWorld(1);
  return {
    journal: world.journal,
    used: new ScannedAmounts(world.reader),
    sumUp: () => world.sumUp(),
    close: () => world.close(),
  };
});

describeOnPostgres("PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  usedAmountsContract("PostgreSQL", async () => openPostgresStores(await server.createDatabase(), systemClock, silent));
});
