import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { UsageQuery } from "../../src/ledger/journal-reader.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { ledgerMigrations } from "../../src/runtime/sql/schema.ts";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { requestIdAt } from "../stores/journal-reader-contract.ts";
import { receipt } from "../stores/samples.ts";
import { temporaryDirectory } from "../stores/sqlite-world.ts";

const beganMs = Date.UTC(2026, 10, 1);
const wholeYear: UsageQuery = {
  tenantId: undefined,
  fromMs: beganMs,
  toMs: beganMs + 30 * 86_400_000,
  by: ["day", "tenant"],
  timeZone: "Asia/Singapore",
  most: 100_000,
};
const clock = { nowMs: () => beganMs, after: () => () => undefined };

describe("reading a SQLite journal that others write to", () => {
  let folder: string;
  let gateways: SqliteStores[];
  beforeEach(() => {
    folder = temporaryDirectory();
    gateways = [openSqliteStores(folder, clock), openSqliteStores(folder, clock)];
  });
  afterEach(() => {
    for (const stores of gateways) stores.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function gateway(number: number): SqliteStores {
    const stores = gateways[number % gateways.length];
    if (stores === undefined) throw new Error("no gateway");
    return stores;
  }

  async function count(stores: SqliteStores): Promise<number> {
    return (await stores.reader.usage(wholeYear)).reduce((sum, { sums }) => sum + sums.requests, 0);
  }

  it("sums what was there when it was asked or came meanwhile, and nothing twice, while both sum up and settle", async () => {
    const written = { count: 0 };
    const write = async (number: number): Promise<void> => {
      // The later it is written the earlier its day, which has been summed when it comes.
      const startedAtMs = beganMs + (2_400 - number) * 600_000;
      const one = receipt(requestIdAt(startedAtMs, number), { tenantId: `t${number % 7}`, startedAtMs });
      if (number % 3 === 0) {
        await gateway(number).journal.append({ ...one, end: "unsettled" });
        written.count += 1;
        await gateway(number + 1).journal.append(one);
      } else {
        await gateway(number).journal.append(one);
        written.count += 1;
      }
    };
    const writing = (async () => {
      for (let number = 0; number < 2_400; number += 40)
        await Promise.all(Array.from({ length: 40 }, (_, index) => write(number + index)));
    })();
    /** In the middle of what is being summed. */
    const sumUpLater = async (turns: number): Promise<void> => {
      for (let turn = 0; turn < turns % 30; turn++) await new Promise((resolve) => setImmediate(resolve));
      await gateway(turns).sumUp();
    };
    let looks = 0;
    for (; written.count < 2_400; looks += 1) {
      const before = written.count;
      const [one, other] = await Promise.all([count(gateway(0)), count(gateway(1)), sumUpLater(looks)]);
      // What is committed may be told to its writer a turn later: then it is counted here and not yet there.
      for (const seen of [one, other]) {
        expect(seen).toBeGreaterThanOrEqual(before);
        expect(seen).toBeLessThanOrEqual(written.count + 80);
      }
    }
    await writing;
    expect(looks).toBeGreaterThan(2);
    expect([await count(gateway(0)), await count(gateway(1))]).toEqual([2_400, 2_400]);
    await gateway(0).sumUp();
    const rows = await gateway(1).reader.usage({ ...wholeYear, by: [] });
    expect(rows).toMatchObject([{ sums: { requests: 2_400, unsettled: 0, chargedTokens: 24_000 } }]);
  }, 30_000);

  it("finds in the order of all what another process wrote a moment ago", async () => {
    for (let number = 0; number < 20; number++) {
      const startedAtMs = beganMs + ((number * 7) % 20);
      await gateway(number).journal.append(receipt(requestIdAt(startedAtMs, number), { startedAtMs }));
      const all = await gateway(number + 1).reader.scan({
        tenantId: undefined,
        fromMs: 0,
        toMs: 10 ** 13,
        after: undefined,
        count: 100,
      });
      expect(all).toHaveLength(number + 1);
      expect(all.map(({ startedAtMs: atMs }) => atMs)).toEqual(
        all.map(({ startedAtMs: atMs }) => atMs).sort((one, other) => one - other),
      );
    }
  });

  it("sums a journal that was written before there were sums", async () => {
    for (const stores of gateways) stores.close();
    rmSync(`${folder}/ledger.sqlite`);
    const file = new SqliteDatabase(`${folder}/ledger.sqlite`, {
      synchronous: "normal",
      busyTimeoutMs: 0,
      exclusive: false,
      checkpointThread: false,
    });
    file.transact(() => {
      migrate(file, "ledger", ledgerMigrations.slice(0, 1));
      for (const number of [1, 2, 3]) {
        const [tenantId, requestId, unsettled] = [`t${number}`, `r${number}`, number === 1];
        const document = receipt(requestId, { startedAtMs: beganMs, tenantId, end: unsettled ? "unsettled" : "completed" });
        file.run(
          "INSERT INTO receipt (tenant_id, request_id, started_at_ms, unsettled, document) VALUES (?, ?, ?, ?, ?)",
          tenantId,
          requestId,
          beganMs,
          unsettled ? 1 : 0,
          JSON.stringify(document),
        );
      }
    });
    file.close();
    gateways = [openSqliteStores(folder, clock)];
    expect(await count(gateway(0))).toBe(3);
    await gateway(0).journal.append(receipt("r1", { startedAtMs: beganMs, tenantId: "t1" }));
    expect(await gateway(0).reader.usage({ ...wholeYear, by: [] })).toMatchObject([{ sums: { requests: 3, unsettled: 0 } }]);
    expect(await gateway(0).reader.scan({ ...wholeYear, after: undefined, count: 10 })).toHaveLength(3);
  });

  it("is unavailable once it is closed, and not a moment later than it says", async () => {
    const { reader } = gateway(0);
    gateway(0).close();
    const query = { tenantId: "acme", fromMs: 0, toMs: 1, after: undefined, count: 1 };
    await expect(reader.scan(query)).rejects.toThrow(StoreUnavailable);
    await expect(reader.usage(wholeYear)).rejects.toThrow(StoreUnavailable);
    await expect(reader.completeUntilMs()).rejects.toThrow(StoreUnavailable);
  });
});
