import { afterAll, beforeAll } from "vitest";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { quotaContract } from "./quota-contract.ts";
import { quotaProperties } from "./quota-properties.ts";
import { sliceContract } from "./slice-contract.ts";
import { valkeyWorld } from "./valkey-world.ts";

describeOnValkey("Valkey", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await ValkeyServer.start();
  }, 20_000);
  afterAll(() => server.stop());

  for (const gateways of [1, 2]) {
    const name = gateways === 1 ? "Valkey" : `Valkey, ${gateways} gateways on one server`;
    quotaContract(name, () => valkeyWorld(server, gateways));
    sliceContract(name, () => valkeyWorld(server, gateways));
    quotaProperties(name, () => valkeyWorld(server, gateways), 40);
  }
});
