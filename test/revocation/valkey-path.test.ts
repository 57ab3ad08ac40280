import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openValkeyRevocations } from "../../src/runtime/node/valkey-revocations.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { ValkeyCluster } from "../support/valkey-cluster.ts";
import { describeOnValkey, ValkeyServer, type ValkeyUnderTest } from "../support/valkey-server.ts";
import { revocationPathContract } from "./path-contract.ts";

describeOnValkey("on Valkey", () => {
  describe("a server", () => {
    onServer(() => ValkeyServer.start());
  });

  describe("a cluster", () => {
    onServer(() => ValkeyCluster.start());
  });

  it("rejects what is asked of a server that is not there, soon", async () => {
    const other = await ValkeyServer.start();
    const path = openValkeyRevocations(other.address);
    await path.read();
    await other.stop();
    await expect(path.read()).rejects.toThrow(StoreUnavailable);
    path.close();
  });
});

function onServer(start: () => Promise<ValkeyUnderTest>): void {
  let server: ValkeyUnderTest;
  beforeAll(async () => {
    server = await start();
  }, 20_000);
  afterAll(() => server?.stop());

  revocationPathContract(
    "Valkey, two replicas",
    async () => {
      await server.flush();
      const paths = [1, 2].map(() => openValkeyRevocations(server.address));
      return { paths, close: async () => paths.forEach((path) => path.close()) };
    },
    true,
  );
}
