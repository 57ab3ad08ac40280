import { afterAll, beforeAll } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { postgresWorld, silent } from "../stores/postgres-world.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { retentionContract } from "./retention-contract.ts";
import { retentionWorld } from "./retention-world.ts";
import { sharedRetentionContract, type SharedWorld } from "./shared-retention-contract.ts";

describeOnPostgres("retention on PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  retentionContract("PostgreSQL", async () => retentionWorld(await postgresWorld(server)), 10);
  sharedRetentionContract("two replicas on PostgreSQL", () => twoReplicas());

  /** One replica that serves, and another that deletes as well: what is called goes to each of them in turn. */
  async function twoReplicas(): Promise<SharedWorld> {
    const world = await postgresWorld(server);
    const other = await openPostgresStores(world.address, systemClock, silent, { connections: 4 });
    let turn = 0;
    const next = (): SharedWorld["retention"] => (turn++ % 2 === 0 ? world.retention : other.retention);
    return {
      ...world,
      retention: {
        get records() {
          return next().records;
        },
        takeTurn: (everyMs) => next().takeTurn(everyMs),
      },
      async close() {
        await other.close();
        await world.close();
      },
    };
  }
});
