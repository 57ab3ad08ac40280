import fc from "fast-check";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { quarterMs, type JournalReader, type UsageQuery } from "../../src/ledger/journal-reader.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { migratePostgres } from "../../src/runtime/node/postgres-migrate.ts";
import { postgresMigrations } from "../../src/runtime/node/postgres-schema.ts";
import { usageMigration } from "../../src/runtime/node/postgres-usage-migration.ts";
import { openPostgresStores, type PostgresStores } from "../../src/runtime/node/postgres.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { naiveUsage, sameUsage } from "./naive-usage.ts";
import { lonelyWriter, silent } from "./postgres-world.ts";
import { receipt } from "./samples.ts";

const query: UsageQuery = { tenantId: "acme", fromMs: 0, toMs: 4 * quarterMs, by: ["key", "end"], timeZone: "UTC", most: 100 };

/** As a replica of an older release writes it, which knows nothing of sums. */
const insert = `INSERT INTO strait.receipt (tenant_id, request_id, started_at_ms, unsettled, document) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (tenant_id, request_id) DO UPDATE SET unsettled = false, document = excluded.document WHERE receipt.unsettled AND NOT excluded.unsettled`;

function row({ tenantId, requestId, startedAtMs, end, ...rest }: Receipt): unknown[] {
  const document = JSON.stringify({ tenantId, requestId, startedAtMs, end, ...rest });
  return [tenantId, requestId, startedAtMs, end === "unsettled", document];
}

describeOnPostgres("sums over receipts in PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  let address: string;
  let replicas: PostgresStores[];
  let reader: JournalReader;
  let clients: Client[];
  beforeEach(async () => {
    address = await server.createDatabase();
    clients = [];
    replicas = [await openReplica(), await openReplica()];
    reader = await readerOf(replica(0));
  });
  afterEach(async () => {
    for (const client of clients) await client.end();
    for (const stores of replicas) await stores.close();
  });

  const openReplica = (): Promise<PostgresStores> => openPostgresStores(address, systemClock, silent, { connections: 2 });
  const readerOf = (stores: PostgresStores): Promise<JournalReader> =>
    stores.openReader(lonelyWriter("writer", { handedOverUntilMs: () => Promise.resolve(0) }));

  function replica(number: number): PostgresStores {
    const stores = replicas[number % replicas.length];
    if (stores === undefined) throw new Error("no replica");
    return stores;
  }

  async function connect(): Promise<Client> {
    const client = new Client({ connectionString: address });
    client.on("error", () => undefined);
    await client.connect();
    clients.push(client);
    return client;
  }

  const merged = (): Promise<unknown[]> => server.query("SELECT 1 FROM strait.usage_slice", [], address);
  const waiting = (): Promise<unknown[]> => server.query("SELECT 1 FROM strait.usage_part", [], address);

  async function expectSums(receipts: readonly Receipt[], tenantId = "acme"): Promise<void> {
    const asked = { ...query, tenantId };
    sameUsage(await reader.usage(asked), naiveUsage(receipts, asked));
    const used = await replica(1).used.used({ ...asked, except: new Set(), byEndUser: true });
    expect(used.reduce((sum, { amounts }) => sum + amounts.requests, 0)).toBe(receipts.length);
    expect(used.reduce((sum, { amounts }) => sum + amounts.microUsd, 0)).toBe(
      receipts.reduce((sum, { costMicroUsd }) => sum + costMicroUsd, 0),
    );
  }

  it(
    "are what was committed, however transactions, settlements and merging by two replicas interleave",
    { timeout: 60_000 },
    async () => {
      const drawn = fc.record({
        kind: fc.constantFrom("write", "write", "settle", "hold", "hold", "commit", "roll back", "merge", "merge at once"),
        number: fc.nat(100),
        end: fc.constantFrom("completed" as const, "unsettled" as const),
      });
      let run = 0;
      const holders = [await connect(), await connect()];
      const interleaved = fc.asyncProperty(fc.array(drawn, { minLength: 5, maxLength: 25 }), async (steps) => {
        const tenantId = `t${(run += 1)}`;
        const standing = new Map<string, Receipt>();
        const held = new Map<Client, Receipt[]>();
        const stand = (one: Receipt): void => void standing.set(one.requestId, one);
        const release = async (client: Client, how: "COMMIT" | "ROLLBACK"): Promise<void> => {
          await client.query(how);
          if (how === "COMMIT") for (const one of held.get(client) ?? []) stand(one);
          held.delete(client);
        };
        for (const [index, { kind, number, end }] of steps.entries()) {
          const one = receipt(`r${index}`, {
            tenantId,
            end,
            startedAtMs: (number % 4) * quarterMs,
            keyId: `k${number % 2}`,
            costMicroUsd: number,
          });
          const holder = holders[number % holders.length] as Client;
          const unsettled = [...standing.values()].find((other) => other.end === "unsettled");
          const [begun] = held.keys();
          if (kind === "write") {
            await replica(number).journal.append(one);
            stand(one);
          } else if (kind === "settle" && unsettled !== undefined) {
            const settled: Receipt = { ...unsettled, end: "completed", costMicroUsd: 1 };
            await replica(number).journal.append(settled);
            stand(settled);
          } else if (kind === "hold") {
            if (!held.has(holder)) await holder.query("BEGIN");
            await holder.query(insert, row(one));
            held.set(holder, [...(held.get(holder) ?? []), one]);
          } else if (kind === "merge") await replica(number).sumUp();
          else if (kind === "merge at once") await Promise.all([replica(0).sumUp(), replica(1).sumUp()]);
          else if (begun !== undefined) await release(begun, kind === "commit" ? "COMMIT" : "ROLLBACK");
          await expectSums([...standing.values()], tenantId);
        }
        for (const client of held.keys()) await release(client, "COMMIT");
        await replica(run).sumUp();
        await expectSums([...standing.values()], tenantId);
      });
      await fc.assert(interleaved, { numRuns: 25 });
      expect(await waiting()).toEqual([]);
      expect(await merged()).not.toEqual([]);
    },
  );

  describe("while parts are being merged", () => {
    const receipts = ["a", "b", "c"].map((id) => receipt(id, { startedAtMs: 5 }));
    let blocker: Client;
    let merging: Promise<void>;
    beforeEach(async () => {
      const [first, ...others] = receipts;
      await replica(0).journal.append(first as Receipt);
      await replica(0).sumUp();
      for (const one of others) await replica(0).journal.append(one);
      blocker = await connect();
      await blocker.query("BEGIN");
      await blocker.query("SELECT 1 FROM strait.usage_slice FOR UPDATE");
      merging = replica(0).sumUp();
      await vi.waitUntil(async () => (await stuck()).length === 1, 10_000);
    });
    afterEach(() => merging);

    const stuck = (): Promise<{ pid: number }[]> =>
      server.query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'WITH taken%' AND wait_event_type = 'Lock'",
        [],
        address,
      );

    it("are read from before, and by no other replica merged", async () => {
      await expectSums(receipts);
      await replica(1).sumUp();
      await expectSums(receipts);
      await blocker.query("COMMIT");
      await merging;
      expect(await waiting()).toEqual([]);
      await expectSums(receipts);
    });

    it("are as they were when it is killed in the midst of it, and merged by whoever comes next", async () => {
      const [one] = await stuck();
      await server.query("SELECT pg_terminate_backend($1)", [one?.pid], address);
      await vi.waitFor(async () => expect((await stuck()).map(({ pid }) => pid)).not.toContain(one?.pid), 10_000);
      await expectSums(receipts);
      await blocker.query("COMMIT");
      await merging;
      await replica(1).sumUp();
      expect(await waiting()).toEqual([]);
      await expectSums(receipts);
    });
  });

  it("have all that was written before there were sums", async () => {
    const older = await server.createDatabase();
    await server.query("CREATE SCHEMA strait", [], older);
    await server.query("CREATE TABLE strait.migration (version int PRIMARY KEY, name text NOT NULL)", [], older);
    const before = postgresMigrations.slice(0, postgresMigrations.indexOf(usageMigration));
    for (const [index, { name, statements }] of before.entries()) {
      for (const statement of statements) await server.query(statement, [], older);
      await server.query("INSERT INTO strait.migration VALUES ($1, $2)", [index + 1, name], older);
    }
    const receipts = Array.from({ length: 50 }, (_, index) =>
      receipt(`r${index}`, {
        startedAtMs: index * 70_000,
        keyId: `k${index % 3}`,
        end: index % 7 === 0 ? "unsettled" : "completed",
      }),
    );
    for (const one of receipts) await server.query(insert, row(one), older);
    await migratePostgres(older, silent);
    address = older;
    const stores = await openReplica();
    replicas.push(stores);
    reader = await readerOf(stores);
    const asked = { ...query, by: ["key", "end", "day"] as const };
    sameUsage(await reader.usage(asked), naiveUsage(receipts, asked));
    await stores.sumUp();
    sameUsage(await reader.usage(asked), naiveUsage(receipts, asked));
  });

  it("stay when receipts are deleted", async () => {
    const receipts = ["a", "b", "c"].map((id) => receipt(id, { startedAtMs: 5 }));
    for (const one of receipts) await replica(0).journal.append(one);
    await replica(0).sumUp();
    await server.query("DELETE FROM strait.receipt", [], address);
    await expectSums(receipts);
  });

  it("take counts that no number of 64 bits holds", async () => {
    const most = {
      inputTokens: Number.MAX_SAFE_INTEGER,
      outputTokens: undefined,
      cachedInputTokens: undefined,
      cacheWriteTokens: undefined,
      reasoningTokens: undefined,
    };
    const receipts = Array.from({ length: 1_100 }, (_, index) => receipt(`r${index}`, { startedAtMs: 5, usage: most }));
    await Promise.all(receipts.map((one) => replica(0).journal.append(one)));
    await replica(0).sumUp();
    const [all] = await reader.usage({ ...query, by: [] });
    expect(all?.sums.requests).toBe(1_100);
    expect(all?.sums.tokens.inputTokens).toBeGreaterThan(2 ** 63);
    expect(await waiting()).toEqual([]);
  });
});
