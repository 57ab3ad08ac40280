import { afterAll, beforeAll } from "vitest";
import { migratePostgres } from "../../src/runtime/node/postgres-migrate.ts";
import { openPostgresRevocations } from "../../src/runtime/node/postgres-revocations.ts";
import { silent } from "../stores/postgres-world.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { revocationPathContract } from "./path-contract.ts";

describeOnPostgres("on PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  revocationPathContract(
    "PostgreSQL, two replicas",
    async () => {
      const address = await server.createDatabase();
      await migratePostgres(address, silent);
      const paths = [1, 2].map(() => openPostgresRevocations(address, silent));
      return { paths, close: async () => void (await Promise.all(paths.map((path) => path.close()))) };
    },
    true,
  );
});
