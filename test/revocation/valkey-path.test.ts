import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openValkeyRevocations } from "../../src/runtime/node/valkey-revocations.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { revocationPathContract } from "./path-contract.ts";

describeOnValkey("on Valkey", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await ValkeyServer.start();
  }, 20_000);
  afterAll(() => server.stop());

  revocationPathContract(
    "Valkey, two replicas",
    async () => {
      await server.command("FLUSHALL");
      const paths = [1, 2].map(() => openValkeyRevocations(server.address, systemClock));
      return { paths, close: async () => paths.forEach((path) => path.close()) };
    },
    true,
  );

  it("rejects what is asked of a server that is not there, soon", async () => {
    const other = await ValkeyServer.start();
    const path = openValkeyRevocations(other.address, systemClock);
    await path.read();
    await other.stop();
    await expect(path.read()).rejects.toThrow(StoreUnavailable);
    path.close();
  });
});
