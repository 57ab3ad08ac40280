import { afterAll, beforeAll } from "vitest";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { bundleContract } from "./bundle-contract.ts";
import { directoryContract } from "./directory-contract.ts";
import { journalContract } from "./journal-contract.ts";
import { journalReaderContract } from "./journal-reader-contract.ts";
import { oldEntryContract } from "./old-entry-contract.ts";
import { postgresWorld } from "./postgres-world.ts";

describeOnPostgres("PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  journalReaderContract("PostgreSQL", () => postgresWorld(server));
  journalContract("PostgreSQL", () => postgresWorld(server));
  directoryContract("PostgreSQL", () => postgresWorld(server));
  bundleContract("PostgreSQL", () => postgresWorld(server));
  oldEntryContract("PostgreSQL", () => postgresWorld(server));
});
