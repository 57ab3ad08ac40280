import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openValkeyQuota, type ValkeyStore } from "../../src/runtime/node/valkey.ts";
import { ValkeyCluster } from "../support/valkey-cluster.ts";
import { describeOnValkey, type ValkeyServer } from "../support/valkey-server.ts";
import { quotaContract } from "./quota-contract.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import { recordingLog, valkeyWorld } from "./valkey-world.ts";

const monthly = apply(limit("monthly", "tokens", "month", 1_000).setting, "", undefined, Date.now());
const concurrent = limit("concurrent", "concurrent", "open", 3);
const ofUser = apply({ ...limit("user", "requests", "minute", 100).setting, endUser: "each" }, "|user=u_1");
const limits = [monthly, concurrent, ofUser];
const tenants = Array.from({ length: 40 }, (_, index) => `tenant_${index}`);

describeOnValkey("Valkey as a cluster of three", () => {
  let cluster: ValkeyCluster;
  let nodes: readonly ValkeyServer[] = [];
  let stores: ValkeyStore[] = [];

  beforeAll(async () => {
    cluster = await ValkeyCluster.start();
    nodes = cluster.nodes;
    stores = [
      await openValkeyQuota(cluster.address, recordingLog(), { quarantineMs: 0 }),
      await openValkeyQuota(`redis://${nodes[0]?.host}?cluster`, recordingLog(), { quarantineMs: 0 }),
    ];
  }, 30_000);
  afterAll(async () => {
    for (const store of stores) store.close();
    await cluster.stop();
  });

  quotaContract("Valkey, 2 gateways on a cluster of three", () => valkeyWorld(cluster, 2));

  it("admits each tenant exactly what fits, over all nodes", { timeout: 20_000 }, async () => {
    const asked = tenants.flatMap((tenantId) =>
      Array.from({ length: 8 }, (_, index) => ({ tenantId, id: `r${index}`, store: stores[index % 2] as ValkeyStore })),
    );
    const outcomes = await Promise.all(
      asked.map(async ({ tenantId, id, store }) => ({
        tenantId,
        id,
        outcome: await store.quota.reserve(reservation(id, limits, amounts(100), { tenantId, leaseMs: 200 })),
      })),
    );
    const admitted = outcomes.filter(({ outcome }) => outcome.admitted);
    for (const tenantId of tenants) expect(admitted.filter((one) => one.tenantId === tenantId)).toHaveLength(3);
    const keys = await Promise.all(nodes.map((node) => node.command("KEYS", "*:tenant_*:c") as Promise<string[]>));
    expect(keys.map((ofNode) => ofNode.length > 0)).toEqual([true, true, true]);
    expect(keys.flat()).toHaveLength(tenants.length);

    // The first tenant's are settled, and what the others left open is found on every node.
    const settled = admitted.filter((one) => one.tenantId === tenants[0]);
    for (const { id, tenantId } of settled)
      expect(await stores[1]?.quota.settle({ id, tenantId, charge: amounts(10) })).toBe(true);
    await delay(250);
    const expired = (await stores[0]?.quota.expire(1_000)) ?? [];
    expect(expired).toHaveLength(admitted.length - 3);
    expect(new Set(expired.map((one) => one.tenantId)).size).toBe(tenants.length - 1);
    const states = await Promise.all(tenants.map(async (tenantId) => stores[1]?.quota.inspect(tenantId, [monthly, concurrent])));
    expect(states.map((ofTenant) => ofTenant?.map((state) => state.remaining))).toEqual(
      tenants.map((_, index) => (index === 0 ? [970, 3] : [700, 3])),
    );
  });

  it("is given the library again on a node that dropped it", async () => {
    for (const node of nodes) await node.command("FUNCTION", "FLUSH");
    const outcomes = await Promise.all(
      tenants.map((tenantId) =>
        (stores[0] as ValkeyStore).quota.reserve(reservation("again", [monthly], amounts(1), { tenantId })),
      ),
    );
    expect(outcomes.every((outcome) => outcome.admitted)).toBe(true);
  });

  it("refuses the tenants of a node that is away and serves the others, until it is back", { timeout: 20_000 }, async () => {
    const store = stores[0] as ValkeyStore;
    const ask = async (round: string): Promise<boolean[]> =>
      Promise.all(
        tenants.map((tenantId) =>
          store.quota.reserve(reservation(`${tenantId}-${round}`, [monthly], amounts(1), { tenantId })).then(
            (outcome) => outcome.admitted,
            () => false,
          ),
        ),
      );
    const pid = nodes[2]?.pid ?? 0;
    process.kill(pid, "SIGSTOP");
    const startMs = performance.now();
    const during = await ask("during");
    expect(performance.now() - startMs).toBeLessThan(1_000);
    process.kill(pid, "SIGCONT");
    expect(during.filter((served) => served).length).toBeGreaterThan(tenants.length / 3);
    expect(during.filter((served) => !served).length).toBeGreaterThan(0);
    let round = 0;
    await expect.poll(async () => (await ask(`after-${round++}`)).every((served) => served), { timeout: 10_000 }).toBe(true);
  });
});
