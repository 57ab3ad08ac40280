import { setTimeout as delay } from "node:timers/promises";
import { ValkeyServer, type ValkeyUnderTest } from "./valkey-server.ts";

const slots = 16_384;

/** Three masters that share the slots, as `valkey-cli --cluster create` would make them. */
export class ValkeyCluster implements ValkeyUnderTest {
  readonly nodes: readonly ValkeyServer[];

  private constructor(nodes: readonly ValkeyServer[]) {
    this.nodes = nodes;
  }

  static async start(): Promise<ValkeyCluster> {
    const nodes: ValkeyServer[] = [];
    for (let count = 0; count < 3; count++) nodes.push(await ValkeyServer.start({ cluster: true }));
    for (const [index, node] of nodes.entries()) {
      const first = Math.floor((index * slots) / nodes.length);
      const last = Math.floor(((index + 1) * slots) / nodes.length) - 1;
      await node.command("CLUSTER", "ADDSLOTSRANGE", first, last);
      await node.command("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
    }
    for (const node of nodes.slice(1)) await nodes[0]?.command("CLUSTER", "MEET", "127.0.0.1", node.port);
    const isWhole = async (): Promise<boolean> =>
      (await Promise.all(nodes.map((node) => node.command("CLUSTER", "INFO")))).every((info) =>
        /cluster_state:ok[^]*cluster_known_nodes:3/.test(String(info)),
      );
    while (!(await isWhole())) await delay(50);
    return new ValkeyCluster(nodes);
  }

  get address(): string {
    return `redis://${this.nodes.map((node) => node.host).join(",")}`;
  }

  async flush(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.flush()));
  }

  /** On the node that has the key's slot; the others say that they have not. */
  async set(key: string, value: string | number): Promise<void> {
    const said = await Promise.allSettled(this.nodes.map((node) => node.set(key, value)));
    if (said.every((one) => one.status === "rejected")) throw new Error(`no node took ${key}`);
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) await node.stop();
  }
}
