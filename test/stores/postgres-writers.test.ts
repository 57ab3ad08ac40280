import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { JournalReader } from "../../src/ledger/journal-reader.ts";
import { journalWriter } from "../../src/runtime/node/journal-writer.ts";
import { openPostgresStores, type PostgresStores } from "../../src/runtime/node/postgres.ts";
import type { JournalWriter } from "../../src/runtime/node/postgres-writers.ts";
import { WriteAheadSlot } from "../../src/runtime/node/write-ahead-slot.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { ManualClock } from "./manual-clock.ts";
import { lonelyWriter, silent } from "./postgres-world.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

const nowMs = Date.UTC(2026, 10, 1, 12);

describeOnPostgres("up to where several writers' journal is complete", () => {
  let server: PostgresServer;
  let address: string;
  const opened: PostgresStores[] = [];
  beforeAll(async () => {
    server = await PostgresServer.start();
  }, 30_000);
  beforeEach(async () => {
    address = await server.createDatabase();
  });
  afterAll(async () => {
    for (const stores of opened) await stores.close();
    await server.stop();
  });

  /** One machine, whose hand-over and waiting files the test sets. */
  async function machine(
    id: string,
  ): Promise<{ reader: JournalReader; state: { untilMs: number; wait: boolean; dead: string[] } }> {
    const stores = await openPostgresStores(address, new ManualClock(nowMs), silent, { connections: 1 });
    opened.push(stores);
    const state = { untilMs: nowMs, wait: false, dead: [] as string[] };
    const handedOverUntilMs = (): Promise<number> => Promise.resolve(state.untilMs);
    const reader = await stores.openReader(
      lonelyWriter(id, { handedOverUntilMs, receiptsWait: () => state.wait, dead: () => state.dead }),
    );
    return { reader, state };
  }

  it("is where the one stands that is furthest behind", async () => {
    const one = await machine("one");
    const other = await machine("other");
    other.state.untilMs = nowMs - 7_000;
    await other.reader.completeUntilMs();
    expect(await one.reader.completeUntilMs()).toBe(nowMs - 7_000);
    other.state.untilMs = nowMs + 5_000;
    await other.reader.completeUntilMs();
    expect(await one.reader.completeUntilMs()).toBe(nowMs);
  });

  it("stays where it was while receipts wait in one machine's files, whatever is held there", async () => {
    const one = await machine("one");
    const other = await machine("other");
    one.state.untilMs = nowMs + 9_000;
    other.state.untilMs = nowMs + 9_000;
    other.state.wait = true;
    expect(await other.reader.completeUntilMs()).toBe(nowMs);
    expect(await one.reader.completeUntilMs()).toBe(nowMs);
    other.state.wait = false;
    expect(await other.reader.completeUntilMs()).toBe(nowMs + 9_000);
  });

  it("waits for a machine that is gone, for a day", async () => {
    const one = await machine("one");
    await machine("gone");
    one.state.untilMs = nowMs + 60_000;
    expect(await one.reader.completeUntilMs()).toBe(nowMs);
    await server.query("UPDATE strait.journal_writer SET seen_at = now() - interval '25 hours' WHERE id = 'gone'", [], address);
    expect(await one.reader.completeUntilMs()).toBe(nowMs + 60_000);
  });

  it("is not held back by a machine that stopped with nothing left to tell, nor by dead ones that it speaks for", async () => {
    const one = await machine("one");
    const behind = await openPostgresStores(address, new ManualClock(nowMs), silent, { connections: 1 });
    opened.push(behind);
    await machine("dead");
    const state = { holds: true };
    const stopping = lonelyWriter("stopping", {
      handedOverUntilMs: () => Promise.resolve(nowMs - 7_000),
      whileDead: (work) => work(["dead"]),
      holdsRequests: () => Promise.resolve(state.holds),
    });
    const ids = async (): Promise<string[]> => (await behind.writers.list()).map(({ id }) => id);
    await behind.openReader(stopping);
    await behind.leave();
    expect(await ids()).toEqual(["dead", "one", "stopping"]);
    expect(await one.reader.completeUntilMs()).toBe(nowMs - 7_000);
    state.holds = false;
    await behind.leave();
    expect(await ids()).toEqual(["one"]);
    expect(await one.reader.completeUntilMs()).toBe(nowMs);
  });

  it("is told for the dead of a machine by one that lives", async () => {
    const one = await machine("one");
    await machine("dead");
    one.state.untilMs = nowMs + 9_000;
    expect(await one.reader.completeUntilMs()).toBe(nowMs);
    one.state.dead = ["dead", "never started"];
    expect(await one.reader.completeUntilMs()).toBe(nowMs + 9_000);
  });

  it("forgets one that is dismissed, until it writes again", async () => {
    const one = await machine("one");
    const gone = await machine("gone");
    const { writers } = opened.at(-1) as PostgresStores;
    expect(await writers.list()).toMatchObject([{ id: "gone", completeUntilMs: nowMs }, { id: "one" }]);
    one.state.untilMs = nowMs + 60_000;
    expect(await writers.dismiss("gone")).toBe(true);
    expect(await writers.dismiss("gone")).toBe(false);
    expect(await one.reader.completeUntilMs()).toBe(nowMs + 60_000);
    await gone.reader.completeUntilMs();
    expect((await writers.list()).map(({ id }) => id)).toEqual(["gone", "one"]);
    const [{ seenAtMs } = { seenAtMs: 0 }] = await writers.list();
    expect(Math.abs(seenAtMs - Date.now())).toBeLessThan(60_000);
  });

  it("begins at nothing for a machine that starts with receipts left by its last life", async () => {
    const stores = await openPostgresStores(address, new ManualClock(nowMs), silent, { connections: 1 });
    opened.push(stores);
    const left = lonelyWriter("one", { handedOverUntilMs: () => Promise.resolve(nowMs), receiptsWait: () => true });
    expect(await (await stores.openReader(left)).completeUntilMs()).toBe(0);
  });
});

it("a place in a data directory keeps its name as a writer, and tells whether receipts wait beside it", async () => {
  const folder = mkdtempSync(join(temporaryDirectory(), "receipts-"));
  const held = (): Promise<number> => Promise.resolve(nowMs);
  const writerAt = (slot: number): JournalWriter =>
    journalWriter({ folder, slot, handedOverUntilMs: held, holdsRequests: () => Promise.resolve(false) });
  const writer = writerAt(0);
  expect(writerAt(0).id).toBe(writer.id);
  expect(writerAt(1).id).not.toBe(writer.id);
  expect(writer.id).toContain(hostname());
  expect(await writer.handedOverUntilMs()).toBe(nowMs);
  expect(writer.receiptsWait()).toBe(false);
  writeFileSync(join(folder, "receipts-0003-00000001.wal"), "x");
  expect(writer.receiptsWait()).toBe(true);
  rmSync(folder, { recursive: true });
});

it("a process speaks for places that nobody has, which nobody gets while it does", async () => {
  const folder = mkdtempSync(join(temporaryDirectory(), "receipts-"));
  const [own, died, living] = [WriteAheadSlot.take(folder), WriteAheadSlot.take(folder), WriteAheadSlot.take(folder)];
  died.release();
  const more = { handedOverUntilMs: () => Promise.resolve(nowMs), holdsRequests: () => Promise.resolve(false) };
  const writer = journalWriter({ folder, slot: own.number, ...more });
  const idOfDead = journalWriter({ folder, slot: died.number, ...more }).id;
  expect(writer.dead()).toEqual([idOfDead]);
  await writer.whileDead((ids) => {
    expect(ids).toEqual([idOfDead]);
    const started = WriteAheadSlot.take(folder);
    expect(started.number).toBeGreaterThan(living.number);
    started.release();
    return Promise.resolve();
  });
  const started = WriteAheadSlot.take(folder);
  expect(started.number).toBe(died.number);
  for (const one of [own, living, started]) one.release();
  rmSync(folder, { recursive: true });
});
