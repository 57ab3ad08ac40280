import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Journal } from "../../src/ledger/journal.ts";
import { sweepExpired } from "../../src/ledger/sweep.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { amounts, limit, receipt, reservation } from "../stores/samples.ts";
import { sqliteWorld } from "../stores/sqlite-world.ts";
import type { StoreWorld } from "../stores/store-world.ts";
import { recordingLog, valkeyWorld } from "../stores/valkey-world.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";

const day = limit("tokens-per-day", "tokens", "day", 1_000);
const leaseMs = 1_000;

function suite(open: () => StoreWorld | Promise<StoreWorld>): void {
  let world: StoreWorld;
  beforeEach(async () => {
    world = await open();
  });
  afterEach(() => world.close());

  /** A gateway admits two requests and dies; of the first its receipt is written. */
  async function twoLeft(): Promise<void> {
    for (const id of ["req_1", "req_2"]) {
      const intent = JSON.stringify(receipt(id, { end: "unsettled", usageSource: "held", chargedTokens: 100 }));
      await world.quota.reserve(reservation(id, [day], amounts(100), { leaseMs, intent }));
    }
    await world.journal.append(receipt("req_1", { chargedTokens: 10, chargedInputTokens: 4 }));
    await world.advance(leaseMs + 1);
  }

  async function remaining(): Promise<number | undefined> {
    return (await world.quota.inspect("acme", [day]))[0]?.remaining;
  }

  it("charges what its receipt says where one was written before the gateway died, and else the hold", async () => {
    await twoLeft();
    expect(await sweepExpired(world.quota, world.journal, recordingLog())).toBe(2);
    expect(await remaining()).toBe(1_000 - 10 - 100);
    expect(await world.journal.find("acme", "req_1")).toMatchObject({ end: "completed", chargedTokens: 10 });
    expect(await world.journal.find("acme", "req_2")).toMatchObject({ end: "unsettled", chargedTokens: 100 });
    expect(await sweepExpired(world.quota, world.journal, recordingLog())).toBe(0);
    expect(await remaining()).toBe(1_000 - 10 - 100);
  });

  it("goes on until none is left, however many a gateway had open", async () => {
    const ids = Array.from({ length: 101 }, (_, index) => `req_${index}`);
    const intent = (id: string): string => JSON.stringify(receipt(id, { end: "unsettled" }));
    for (const id of ids) await world.quota.reserve(reservation(id, [day], amounts(1), { leaseMs, intent: intent(id) }));
    await world.advance(leaseMs + 1);
    expect(await sweepExpired(world.quota, world.journal, recordingLog())).toBe(ids.length);
    expect(await world.journal.find("acme", ids.at(-1) ?? "")).toMatchObject({ end: "unsettled" });
    expect(await sweepExpired(world.quota, world.journal, recordingLog())).toBe(0);
  });

  it("records all of them where the journal takes receipts and cannot be read", async () => {
    await twoLeft();
    const { journal } = world;
    const unreadable: Journal = {
      append: (one) => journal.append(one),
      find: () => Promise.reject(new StoreUnavailable("away")),
      list: (tenantId, beforeMs, count) => journal.list(tenantId, beforeMs, count),
      findResponse: (tenantId, responseId) => journal.findResponse(tenantId, responseId),
    };
    await expect(sweepExpired(world.quota, unreadable, recordingLog())).rejects.toThrow("away");
    expect(await sweepExpired(world.quota, journal, recordingLog())).toBe(0);
    expect(await journal.find("acme", "req_2")).toMatchObject({ end: "unsettled" });
    expect(await remaining()).toBe(1_000 - 200);
  });
}

describe("sweeping what a gateway that died left on SQLite", () => {
  suite(() => sqliteWorld(1));
});

describeOnValkey("sweeping what a gateway that died left on Valkey", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await ValkeyServer.start();
  });
  afterAll(() => server.stop());
  suite(() => valkeyWorld(server, 2));
});
