import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores, type PostgresStores } from "../../src/runtime/node/postgres.ts";
import { hex } from "../../src/tenant/key.ts";
import { Tree } from "../../src/transparency/tree.ts";
import { postgresWorld, silent } from "../stores/postgres-world.ts";
import { auditOf } from "../retention/audit-of.ts";
import { receipt } from "../stores/samples.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { logContract } from "./log-contract.ts";
import { logOf, newKey, refusal } from "./log-fixture.ts";
import { hasher } from "./memory-tiles.ts";
import { naiveRoot } from "./naive-tree.ts";
import { writtenBefore } from "./written-before.ts";

describeOnPostgres("the log in PostgreSQL", () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());

  logContract("PostgreSQL", () => postgresWorld(server));

  describe("of several replicas", () => {
    let address: string;
    let stores: PostgresStores;
    let other: PostgresStores;
    beforeEach(async () => {
      address = await server.createDatabase();
      stores = await openPostgresStores(address, systemClock, silent, { connections: 4 });
      other = await openPostgresStores(address, systemClock, silent, { connections: 4 });
    });
    afterEach(async () => {
      await stores.close();
      await other.close();
    });

    /** The requests of all entries in their order, once all are in the tree and the tree is theirs. */
    async function requestsInTree(): Promise<string[]> {
      while ((await stores.tree.integrate(250)) > 0);
      const size = await stores.tree.size();
      const documents = (await stores.tree.entries(0, size)).map(({ document }) => document ?? "");
      const tree = new Tree(size, (level, index) => other.tree.tile(level, index), hasher);
      expect(hex(await tree.root())).toBe(hex(naiveRoot(documents.map((text) => Buffer.from(text)))));
      return documents.map((text) => (JSON.parse(text) as Receipt).requestId);
    }

    it("takes in what is committed late, behind others, and waits for nobody", async () => {
      const late = new Client({ connectionString: address });
      await late.connect();
      await late.query("BEGIN");
      await late.query(
        "INSERT INTO strait.log_entry (tenant_id, request_id, refused, document) VALUES ('acme', 'late', true, $1)",
        [JSON.stringify(refusal("late"))],
      );
      await stores.journal.append(receipt("a"));
      await other.journal.append(receipt("b"));
      expect(await other.tree.integrate(10)).toBe(2);
      expect(await stores.tree.place("acme", "late")).toEqual({ kind: "absent" });
      await late.query("COMMIT");
      await late.end();
      expect(await stores.tree.place("acme", "late")).toEqual({ kind: "waiting" });
      expect(await requestsInTree()).toEqual(["a", "b", "late"]);
    });

    it("loses nothing and takes nothing twice where replicas are killed in the midst of it", async () => {
      const acknowledged: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        const replicas = ["one", "two"].map((name) => {
          const script = new URL("postgres-log-writer.ts", import.meta.url).pathname;
          const child = spawn(process.execPath, [script, address, `${name}${round}`], { stdio: ["ignore", "pipe", "ignore"] });
          let output = "";
          child.stdout.on("data", (chunk) => (output += String(chunk)));
          return { child, closed: once(child, "close"), lines: () => output.split("\n").slice(0, -1) };
        });
        while (replicas.some(({ lines }) => lines().length < 30 + round)) await delay(5);
        for (const { child } of replicas) child.kill("SIGKILL");
        for (const { closed } of replicas) await closed;
        acknowledged.push(...replicas.flatMap(({ lines }) => lines()));
      }
      const requests = await requestsInTree();
      expect(new Set(requests).size).toBe(requests.length);
      expect(new Set(requests)).toEqual(new Set([...requests, ...acknowledged]));
    }, 60_000);

    it("leaves the tree as it was where the server crashes, and goes on from there", async () => {
      await Promise.all(Array.from({ length: 301 }, (_, index) => stores.journal.append(receipt(`r${index}`))));
      await stores.tree.integrate(100);
      const integrating = Promise.allSettled([stores.tree.integrate(100), other.tree.integrate(100)]);
      await server.halt("immediate");
      await integrating;
      await server.resume();
      const requests = await requestsInTree();
      expect(requests).toHaveLength(301);
      expect(new Set(requests).size).toBe(301);
    }, 30_000);

    it("knows the receipts of replicas from before there was a log, and does not prove them", async () => {
      const write = (one: Receipt): Promise<unknown> => server.query(writtenBefore, [JSON.stringify(one)], address);
      await write(receipt("old"));
      expect(await stores.tree.place("acme", "old")).toEqual({ kind: "before_log" });
      await write(receipt("open", { end: "unsettled" }));
      await stores.journal.append(receipt("open"));
      expect(await stores.journal.find("acme", "open")).toEqual(receipt("open"));
      await stores.journal.append(receipt("settled_before", { end: "unsettled" }));
      expect(await requestsInTree()).toEqual(["open", "settled_before"]);
      expect(await stores.tree.place("acme", "settled_before")).toMatchObject({ kind: "in_tree", leafIndex: 1 });
      await write(receipt("settled_before"));
      expect(await stores.tree.place("acme", "settled_before")).toEqual({ kind: "before_log" });
    });

    it("shows an auditor what was changed or dropped in the journal alone, from which use and exports are read", async () => {
      const log = await logOf({ tree: stores.tree, nowMs: () => 0 }, await newKey());
      const evidence = { region: "a\0\ud800", inferenceGeo: undefined, servedModel: "é", upstreamRequestId: undefined };
      for (const id of ["a", "b", "c"]) await stores.journal.append(receipt(id, { evidence }));
      for (const end of ["unsettled", "completed"] as const) await other.journal.append(receipt("late", { end }));
      await other.refusals.append(refusal("a"));
      const kept = await log.advance();
      expect((await auditOf(log, [kept])).problems).toEqual([]);
      await server.query(
        `UPDATE strait.receipt SET document = jsonb_set(document, '{costMicroUsd}', '1') WHERE request_id IN ('b', 'late')`,
        [],
        address,
      );
      await server.query("DELETE FROM strait.receipt WHERE request_id = 'c'", [], address);
      expect((await auditOf(log, [kept])).problems).toEqual([
        "entry 1 was changed in the journal; the log alone has it still",
        "entry 2 was dropped in the journal; the log alone has it still",
        "entry 4 was changed in the journal; the log alone has it still",
      ]);
    });

    it("keeps a refusal apart from receipts, and finds it from every replica", async () => {
      await stores.refusals.append(refusal("no"));
      expect(await other.refusals.find("acme", "no")).toMatchObject({ requestId: "no", end: "refused" });
      expect(await other.refusals.find("other", "no")).toBeUndefined();
      expect(await other.journal.find("acme", "no")).toBeUndefined();
      await other.journal.append(receipt("yes"));
      expect(await stores.refusals.find("acme", "yes")).toBeUndefined();
    });
  });
});
