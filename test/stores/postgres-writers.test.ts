import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { JournalReader } from "../../src/ledger/journal-reader.ts";
import { journalWriter } from "../../src/runtime/node/journal-writer.ts";
import { openPostgresStores, type PostgresStores } from "../../src/runtime/node/postgres.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { ManualClock } from "./manual-clock.ts";
import { silent } from "./postgres-world.ts";
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
  async function machine(id: string): Promise<{ reader: JournalReader; state: { untilMs: number; wait: boolean } }> {
    const stores = await openPostgresStores(address, new ManualClock(nowMs), silent, { connections: 1 });
    opened.push(stores);
    const state = { untilMs: nowMs, wait: false };
    const handedOverUntilMs = (): Promise<number> => Promise.resolve(state.untilMs);
    const reader = await stores.openReader({ id, handedOverUntilMs, receiptsWait: () => state.wait });
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

  it("begins at nothing for a machine that starts with receipts left by its last life", async () => {
    const stores = await openPostgresStores(address, new ManualClock(nowMs), silent, { connections: 1 });
    opened.push(stores);
    const left = { id: "one", handedOverUntilMs: () => Promise.resolve(nowMs), receiptsWait: () => true };
    expect(await (await stores.openReader(left)).completeUntilMs()).toBe(0);
  });
});

it("a data directory keeps its name as a writer, and tells whether receipts wait in it", async () => {
  const folder = mkdtempSync(join(temporaryDirectory(), "receipts-"));
  const held = (): Promise<number> => Promise.resolve(nowMs);
  const writer = journalWriter(folder, held);
  expect(journalWriter(folder, held).id).toBe(writer.id);
  expect(readFileSync(join(folder, "writer-id"), "utf8")).toBe(writer.id);
  expect(await writer.handedOverUntilMs()).toBe(nowMs);
  expect(writer.receiptsWait()).toBe(false);
  writeFileSync(join(folder, "receipts-0003-00000001.wal"), "x");
  expect(writer.receiptsWait()).toBe(true);
  rmSync(folder, { recursive: true });
});
