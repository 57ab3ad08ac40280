import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openPostgresStores } from "../../src/runtime/node/postgres.ts";
import { WriteAheadJournal } from "../../src/runtime/node/write-ahead-journal.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { JournalThatFails } from "./journal-that-fails.ts";
import { silent } from "./postgres-world.ts";
import { receipt } from "./samples.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

interface Writer {
  /** What it was told is durable. */
  readonly acknowledged: string[];
  kill(): Promise<void>;
}

const program = new URL("write-ahead-writer.ts", import.meta.url).pathname;

/** Starts one and waits until it has written something. */
async function startWriter(folder: string, prefix: string, address?: string): Promise<Writer> {
  const child = spawn(process.execPath, [program, folder, prefix, ...(address === undefined ? [] : [address])], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const acknowledged: string[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    acknowledged.push(...lines);
  });
  const closed = once(child, "close");
  await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(10), { timeout: 10_000, interval: 10 });
  return {
    acknowledged,
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

const children: ChildProcess[] = [];
let folder: string;
beforeEach(() => {
  folder = temporaryDirectory();
});
afterEach(() => {
  // Where a test failed before it killed them, they would write on for ever.
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const files = (): string[] => readdirSync(folder).filter((name) => name.endsWith(".wal"));

describe("write-ahead files of processes that are killed", () => {
  it("hold all that was acknowledged, round after round, and are delivered by whoever comes next", async () => {
    const journal = new JournalThatFails();
    const acknowledged: string[] = [];
    for (let round = 0; round < 2; round++) {
      const writers = await Promise.all(["a", "b", "c"].map((name) => startWriter(folder, `${name}${round}`)));
      await delay(100);
      await Promise.all(writers.map((writer) => writer.kill()));
      for (const writer of writers) acknowledged.push(...writer.acknowledged);
    }
    const survivors = await Promise.all([1, 2].map(() => WriteAheadJournal.open(journal, folder, systemClock, silent)));
    await vi.waitFor(() => expect(files()).toEqual([]), { timeout: 10_000, interval: 10 });
    await Promise.all(survivors.map((survivor) => survivor.close()));
    expect(acknowledged.length).toBeGreaterThan(100);
    expect(acknowledged.filter((id) => !journal.receipts.has(id))).toEqual([]);
    // One taker a file, and nothing failed on the way: so nothing came twice.
    expect(journal.arrivals).toHaveLength(journal.receipts.size);
  }, 30_000);
});

describe("a write-ahead file on a disk that is full", () => {
  it("refuses what was written in part, and has all that was acknowledged", async () => {
    // 64 blocks of 512 bytes: a write in the midst of a frame is cut short there, and the next one fails.
    const arguments_ = ["-c", 'ulimit -f 64; exec "$@"', "sh", process.execPath, program, folder, "a"];
    const child = spawn("sh", arguments_, { stdio: ["ignore", "pipe", "pipe"] });
    children.push(child);
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    expect(errors).toContain("StoreUnavailable");
    const acknowledged = output.split("\n").filter((line) => line !== "");
    const journal = new JournalThatFails();
    const survivor = await WriteAheadJournal.open(journal, folder, systemClock, silent);
    await vi.waitFor(() => expect(files()).toEqual([]), { timeout: 10_000, interval: 10 });
    await survivor.close();
    expect(acknowledged.length).toBeGreaterThan(10);
    expect(journal.arrivals).toEqual(acknowledged);
  }, 20_000);
});

describeOnPostgres("receipts while PostgreSQL comes and goes", () => {
  let server: PostgresServer;
  let address: string;
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    address = await server.createDatabase();
  });

  const stored = async (): Promise<string[]> => {
    const rows = await server.query<{ id: string }>("SELECT request_id AS id FROM strait.receipt", [], address);
    return rows.map(({ id }) => id);
  };

  it("are neither lost nor double, whether it was stopped, crashed or frozen in the midst of them", async () => {
    const stores = await Promise.all([1, 2].map(() => openPostgresStores(address, systemClock, silent)));
    const journals = await Promise.all(
      stores.map(({ journal }) => WriteAheadJournal.open(journal, folder, systemClock, silent, { patienceMs: 200 })),
    );
    const acknowledged: string[] = [];
    const stop = new AbortController();
    let slowestMs = 0;
    const writing = journals.flatMap((journal, place) =>
      Array.from({ length: 5 }, async (_, lane) => {
        for (let count = 0; !stop.signal.aborted; count++) {
          const id = `${place}-${lane}-${count}`;
          const beganMs = performance.now();
          await journal.append(receipt(id, { end: "unsettled" }));
          slowestMs = Math.max(slowestMs, performance.now() - beganMs);
          if (count % 2 === 0) await journal.append(receipt(id, { end: "completed" }));
          acknowledged.push(id);
          await delay(2);
        }
      }),
    );
    for (const mode of ["fast", "immediate", "fast"] as const) {
      await delay(200);
      await server.halt(mode);
      const before = acknowledged.length;
      await delay(300);
      expect(acknowledged.length).toBeGreaterThan(before);
      await server.resume();
    }
    // Frozen: no connection breaks and no answer comes.
    const backends = await server.query<{ pid: number }>("SELECT pid FROM pg_stat_activity WHERE application_name = 'strait'");
    for (const { pid } of backends) process.kill(pid, "SIGSTOP");
    await delay(500);
    for (const { pid } of backends) process.kill(pid, "SIGCONT");
    await delay(200);
    stop.abort();
    await Promise.all(writing);
    await vi.waitFor(() => expect(journals.map((journal) => journal.waitingBytes)).toEqual([0, 0]), {
      timeout: 15_000,
      interval: 20,
    });
    await Promise.all(journals.map((journal) => journal.close()));
    expect((await stored()).sort()).toEqual(acknowledged.sort());
    const settled = await server.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM strait.receipt WHERE NOT unsettled",
      [],
      address,
    );
    expect(settled[0]?.count).toBe(acknowledged.filter((id) => Number(id.split("-")[2]) % 2 === 0).length);
    expect(slowestMs).toBeLessThan(2_000);
    await Promise.all(stores.map((store) => store.close()));
    expect(files()).toEqual([]);
  }, 60_000);

  it("are not lost when gateways are killed while it is down, and come in when it is back", async () => {
    const writers = await Promise.all(["a", "b"].map((name) => startWriter(folder, name, address)));
    await server.halt();
    const counts = writers.map((writer) => writer.acknowledged.length);
    await delay(300);
    await Promise.all(writers.map((writer) => writer.kill()));
    for (const [place, writer] of writers.entries()) expect(writer.acknowledged.length).toBeGreaterThan(counts[place] ?? 0);
    await server.resume();
    const stores = await openPostgresStores(address, systemClock, silent);
    const journal = await WriteAheadJournal.open(stores.journal, folder, systemClock, silent);
    await vi.waitFor(() => expect(files()).toEqual([]), { timeout: 10_000, interval: 10 });
    await journal.close();
    await stores.close();
    const ids = await stored();
    const known = new Set(ids);
    expect(ids).toHaveLength(known.size);
    expect(writers.flatMap((writer) => writer.acknowledged.filter((id) => !known.has(id)))).toEqual([]);
  }, 30_000);
});
