import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster, Redis } from "ioredis";
import { StoreUnavailable } from "../../quota/store.ts";
import { isForgettable, joinOrders, type RevocationOrder } from "../../revocation/order.ts";
import { replicaLifeMs, type Acknowledgement, type Replica, type RevocationPath } from "../../revocation/path.ts";
import { readValkeyAddress } from "./valkey-address.ts";
import { connectValkey } from "./valkey-connection.ts";

const settings = { commandTimeoutMs: 500, connectTimeoutMs: 2_000 };

// In one slot of a cluster, and apart from the limits.
const ordersKey = "{strait:revocation}:orders";
const restoredKey = "{strait:revocation}:restored";
const replicasKey = "{strait:revocation}:replicas";
const channel = "strait:revocation";

/** By the server's clock: replicas' clocks may differ. */
const nowMs = "local time = redis.call('TIME') local nowMs = time[1] * 1000 + math.floor(time[2] / 1000) ";
const beatScript = `${nowMs} redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', nowMs - ARGV[2]) redis.call('ZADD', KEYS[1], nowMs, ARGV[1]) return nowMs`;
const clockScript = `${nowMs} return nowMs`;
const livingScript = `${nowMs} return redis.call('ZRANGEBYSCORE', KEYS[1], nowMs - ARGV[1], '+inf')`;

/**
 * Orders on Valkey or Redis: what is issued and what is restored in a hash each, where the first to come stays. The server may
 * lose them all: replicas put back what they know.
 */
export function openValkeyRevocations(url: string): RevocationPath & { close(): void } {
  const address = readValkeyAddress(url);
  const client = connectValkey(address, settings);
  const subscriber = connectValkey(address, settings);
  // Whoever asks is told by a rejection; a client without this would end the process.
  for (const one of [client, subscriber]) one.on("error", () => undefined);

  const ask = async <Answer>(question: (redis: Redis | Cluster) => Promise<Answer>): Promise<Answer> => {
    try {
      if (client.status !== "ready") await ready(client);
      return await question(client);
    } catch (error) {
      throw new StoreUnavailable(`Valkey failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  };
  const read = async (): Promise<RevocationOrder[]> => {
    const [issued, restored] = await Promise.all([
      ask((redis) => redis.hgetall(ordersKey)),
      ask((redis) => redis.hgetall(restoredKey)),
    ]);
    const orders = new Map<string, RevocationOrder>();
    for (const text of [...Object.values(issued), ...Object.values(restored)]) {
      const order = JSON.parse(text) as RevocationOrder;
      orders.set(order.id, joinOrders(orders.get(order.id) ?? order, order));
    }
    return [...orders.values()];
  };
  return {
    name: "valkey",
    shared: true,
    read,
    async write(order) {
      const key = order.restored === undefined ? ordersKey : restoredKey;
      await ask((redis) => redis.hsetnx(key, order.id, JSON.stringify(order)));
      await ask((redis) => redis.publish(channel, order.id));
      const atMs = Number(await ask((redis) => redis.eval(clockScript, 1, ordersKey)));
      const forgettable = (await read()).filter((one) => isForgettable(one, atMs)).map(({ id }) => id);
      if (forgettable.length === 0) return;
      for (const each of [ordersKey, restoredKey]) await ask((redis) => redis.hdel(each, ...forgettable));
      for (const id of forgettable) await ask((redis) => redis.del(acknowledgementsKey(id)));
    },
    async acknowledge(told) {
      for (const one of told)
        await ask((redis) => redis.hset(acknowledgementsKey(one.orderId), one.replica.id, JSON.stringify(one)));
    },
    async acknowledgements(orderId) {
      const told = await ask((redis) => redis.hvals(acknowledgementsKey(orderId)));
      return told.map((text) => JSON.parse(text) as Acknowledgement);
    },
    async beat(replica) {
      return Number(await ask((redis) => redis.eval(beatScript, 1, replicasKey, JSON.stringify(replica), replicaLifeMs)));
    },
    async replicas() {
      const members = (await ask((redis) => redis.eval(livingScript, 1, replicasKey, replicaLifeMs))) as string[];
      return members.map((text) => JSON.parse(text) as Replica);
    },
    watch(wake) {
      const subscribe = (): void => {
        // Where it fails the connection is lost, and this is called again when there is another.
        void subscriber.subscribe(channel).then(wake, () => undefined);
      };
      subscriber.on("message", wake);
      subscriber.on("ready", subscribe);
      if (subscriber.status === "ready") subscribe();
      return () => {
        subscriber.off("message", wake);
        subscriber.off("ready", subscribe);
      };
    },
    close() {
      client.disconnect();
      subscriber.disconnect();
    },
  };
}

/** Resolves once it can be asked, or after a while: what is asked then fails at once. */
async function ready(client: Redis | Cluster): Promise<void> {
  const aborter = new AbortController();
  await Promise.race([
    once(client, "ready", { signal: aborter.signal }),
    delay(settings.commandTimeoutMs, undefined, { signal: aborter.signal }),
  ]);
  aborter.abort();
}

function acknowledgementsKey(orderId: string): string {
  return `{strait:revocation}:acknowledged:${orderId}`;
}
