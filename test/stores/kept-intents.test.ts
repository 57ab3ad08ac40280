import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sweepExpired } from "../../src/ledger/sweep.ts";
import { KeptIntents } from "../../src/quota/kept-intents.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { ManualClock } from "./manual-clock.ts";
import { silent } from "./postgres-world.ts";
import { quotaContract } from "./quota-contract.ts";
import { amounts, limit, receipt, reservation } from "./samples.ts";
import { sqliteWorld, temporaryDirectory } from "./sqlite-world.ts";
import { worldBeginsMs, type StoreWorld } from "./store-world.ts";

const daily = limit("daily", "tokens", "day", 1_000);

quotaContract("a store whose intents are kept here as well", (): StoreWorld => {
  const [exact, local] = [sqliteWorld(1), sqliteWorld(1)];
  return {
    ...exact,
    quota: new KeptIntents(exact.quota, local.quota),
    close: async () => {
      await local.close();
      await exact.close();
    },
  };
});

describe("intents that are kept on this machine", () => {
  let folder: string;
  let clock: ManualClock;
  let here: SqliteStores;
  let elsewhere: SqliteStores;
  beforeEach(() => {
    folder = temporaryDirectory();
    clock = new ManualClock(worldBeginsMs);
    here = openSqliteStores(`${folder}/here`, clock);
    elsewhere = openSqliteStores(`${folder}/elsewhere`, clock);
  });
  afterEach(() => {
    here.close();
    elsewhere.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const intent = (id: string): string => JSON.stringify(receipt(id, { end: "unsettled", chargedTokens: 100 }));

  it("leave a record of every request when the store dies together with the gateway, and of none that was settled", async () => {
    const quota = new KeptIntents(elsewhere.quota, here.quota);
    for (const id of ["a", "b", "c"])
      await quota.reserve(reservation(id, [daily], amounts(100), { leaseMs: 1_000, intent: intent(id) }));
    await here.journal.append(receipt("b"));
    await quota.settle({ id: "b", tenantId: "acme", charge: amounts(10) });
    await quota.renew("acme", ["a"], 5_000);
    // Both are gone: the store with all that it held, and the process with all that it knew.
    elsewhere.close();
    here.close();
    here = openSqliteStores(`${folder}/here`, clock);
    clock.advance(1_000);
    expect(await sweepExpired(here.quota, here.journal, silent)).toBe(1);
    clock.advance(4_000);
    expect(await sweepExpired(here.quota, here.journal, silent)).toBe(1);
    const ends = await Promise.all(["a", "b", "c"].map(async (id) => (await here.journal.find("acme", id))?.end));
    expect(ends).toEqual(["unsettled", "completed", "unsettled"]);
  });

  it("are there before a request may go upstream, or it is not admitted and holds nothing", async () => {
    here.close();
    const quota = new KeptIntents(elsewhere.quota, here.quota);
    await expect(quota.reserve(reservation("a", [daily], amounts(100)))).rejects.toThrow(StoreUnavailable);
    expect((await elsewhere.quota.inspect("acme", [daily])).map(({ remaining }) => remaining)).toEqual([1_000]);
  });

  it("are not kept of what was refused, nor of slices", async () => {
    const quota = new KeptIntents(elsewhere.quota, here.quota);
    expect(await quota.reserve(reservation("a", [daily], amounts(2_000)))).toMatchObject({ admitted: false });
    expect(await quota.reserve({ ...reservation("s", [daily], amounts(100)), intent: "", slice: true })).toMatchObject({
      admitted: true,
    });
    expect(await here.reservations.open("acme")).toEqual([]);
  });
});
