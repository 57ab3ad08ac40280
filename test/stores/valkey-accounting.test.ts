import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import type { GatewayAnswer, GatewayCommand, GatewayOrder } from "./gateway-process.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

const ceiling = 1_000;
const leaseMs = 3_000;
/** For which gateways that live put back what they have open, and some more. */
const afterLossMs = 4_000;

/** A gateway in a process of its own, with one command at a time. */
class Gateway {
  readonly child: ChildProcess;
  constructor(child: ChildProcess) {
    this.child = child;
  }

  async tell(command: GatewayCommand): Promise<GatewayAnswer> {
    const answered = once(this.child, "message") as Promise<[GatewayAnswer]>;
    this.child.send(command);
    return (await answered)[0];
  }

  reserve(id: string, tokens: number): Promise<GatewayAnswer> {
    return this.tell({ do: "reserve", id, tokens });
  }

  end(id: string, tokens: number): Promise<GatewayAnswer> {
    return this.tell({ do: "end", id, tokens });
  }

  left(): Promise<GatewayAnswer> {
    return this.tell({ do: "left" });
  }

  async kill(): Promise<void> {
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }
}

describeOnPostgres("limits after Valkey lost its data while a gateway has something to tell", () => {
  let postgres: PostgresServer;
  let address: string;
  let tenantId: string;
  let tenants = 0;
  const gateways: Gateway[] = [];
  const folders: string[] = [];

  beforeAll(async () => {
    postgres = await PostgresServer.start();
  }, 30_000);
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    address = await postgres.createDatabase();
    tenantId = `tenant_${++tenants}`;
  });
  afterEach(async () => {
    for (const one of gateways.splice(0)) if (one.child.exitCode === null && one.child.signalCode === null) await one.kill();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  function folder(): string {
    const made = mkdtempSync(join(temporaryDirectory(), "gateway-"));
    folders.push(made);
    return made;
  }

  describeOnValkey("with Valkey", () => {
    let valkey: ValkeyServer;
    beforeAll(async () => {
      valkey = await ValkeyServer.start();
    }, 20_000);
    afterAll(() => valkey.stop());

    async function start(dataDir: string, more: Partial<GatewayOrder> = {}): Promise<Gateway> {
      const order = {
        databaseUrl: address,
        quotaUrl: valkey.address,
        dataDir,
        tenantId,
        processes: 1,
        leaseMs,
        ceiling,
        slices: false,
      };
      const child = fork(new URL("./gateway-process.ts", import.meta.url), [JSON.stringify({ ...order, ...more })], {
        execArgv: [],
      });
      const gateway = new Gateway(child);
      gateways.push(gateway);
      await once(child, "message");
      return gateway;
    }

    async function lose(): Promise<void> {
      await valkey.kill();
      await valkey.resume();
    }

    const untilCounted = (gateway: Gateway, remaining: number): Promise<void> =>
      expect.poll(() => gateway.left(), { timeout: 15_000, interval: 200 }).toBe(remaining);

    it("wait for receipts on the disk of one that stands still", { timeout: 60_000 }, async () => {
      const [first, second] = await Promise.all([start(folder()), start(folder())]);
      expect(await second.reserve("a", 900)).toBe("admitted");
      await postgres.halt();
      expect(await second.end("a", 900)).toBe("ended");
      second.child.kill("SIGSTOP");
      await lose();
      await postgres.resume();
      await delay(afterLossMs);
      expect(await first.reserve("b", 200)).toEqual({ unavailable: expect.stringContaining("may have admitted") as string });
      second.child.kill("SIGCONT");
      await untilCounted(first, 100);
      expect(await first.reserve("c", 200)).toBe("refused");
    });

    it("wait for what is open at one that stands still", { timeout: 60_000 }, async () => {
      const lasting = { leaseMs: 60_000 };
      const [first, second] = await Promise.all([start(folder(), lasting), start(folder(), lasting)]);
      expect(await second.reserve("a", 900)).toBe("admitted");
      second.child.kill("SIGSTOP");
      await lose();
      await delay(afterLossMs);
      expect(await first.reserve("b", 200)).toEqual({ unavailable: expect.stringContaining("may have admitted") as string });
      second.child.kill("SIGCONT");
      await expect.poll(() => first.reserve("c", 200), { timeout: 15_000, interval: 200 }).toBe("refused");
      await second.end("a", 300);
      await untilCounted(first, 700);
    });

    it("wait for what one had open that died at the same time, until it is on record", { timeout: 60_000 }, async () => {
      const [first, directory] = [await start(folder()), folder()];
      const second = await start(directory);
      expect(await second.reserve("a", 900)).toBe("admitted");
      await second.kill();
      await lose();
      const again = await start(directory);
      await delay(1_000);
      await untilCounted(first, 100);
      expect(await again.left()).toBe(100);
    });

    it(
      "wait for what one had open that died at the same time with its journal, until it is on record",
      { timeout: 60_000 },
      async () => {
        const lasting = { databaseUrl: undefined, leaseMs: 8_000 };
        const directory = folder();
        const first = await start(directory, lasting);
        expect(await first.reserve("a", 900)).toBe("admitted");
        await first.kill();
        await lose();
        const again = await start(directory, lasting);
        expect(await again.reserve("b", 200)).toEqual({ unavailable: expect.stringContaining("may have admitted") as string });
        await untilCounted(again, 100);
      },
    );

    it("wait for one that died until it is dismissed, and then go without what it had open", { timeout: 60_000 }, async () => {
      const first = await start(folder());
      const [own] = (await first.tell({ do: "writers" })) as readonly string[];
      const second = await start(folder());
      expect(await second.reserve("a", 900)).toBe("admitted");
      await second.kill();
      await lose();
      await delay(afterLossMs);
      const gone = ((await first.tell({ do: "writers" })) as readonly string[]).filter((id) => id !== own);
      expect(gone).toHaveLength(1);
      expect(await first.reserve("b", 200)).toEqual({ unavailable: expect.stringContaining(String(gone[0])) as string });
      await first.tell({ do: "dismiss", id: String(gone[0]) });
      expect(await first.reserve("c", 200)).toBe("admitted");
    });

    it(
      "do not wait for one that was stopped in order, nor for what another process of a directory left",
      { timeout: 60_000 },
      async () => {
        const shared = folder();
        const [first, second, stopped] = [
          await start(shared, { processes: 2 }),
          await start(shared, { processes: 2 }),
          await start(folder()),
        ];
        expect(await stopped.reserve("a", 100)).toBe("admitted");
        expect(await stopped.end("a", 100)).toBe("ended");
        expect(await stopped.tell({ do: "stop" })).toBe("stopped");
        expect(await second.reserve("b", 300)).toBe("admitted");
        await second.kill();
        await lose();
        // Its request ends unsettled when its lease runs out, which the one beside it sees to.
        await untilCounted(first, 600);
      },
    );

    it(
      "are whole again within seconds where everybody lives, with requests open in slices and beside them",
      { timeout: 60_000 },
      async () => {
        const sliced = { slices: true, leaseMs: 60_000 };
        const [first, second] = await Promise.all([start(folder(), sliced), start(folder(), sliced)]);
        for (let serial = 0; serial < 40; serial++) expect(await second.reserve(`s${serial}`, 2)).toBe("admitted");
        await lose();
        await expect.poll(() => first.reserve("b", 10), { timeout: 15_000, interval: 100 }).toBe("admitted");
        for (let serial = 0; serial < 40; serial++) await second.end(`s${serial}`, 1);
        await expect.poll(() => first.left(), { timeout: 15_000, interval: 200 }).toBe(ceiling - 40 - 10);
      },
    );
  });
});
