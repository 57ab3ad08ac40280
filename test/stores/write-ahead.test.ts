import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { refuseWhenFull } from "../../src/runtime/node/write-ahead-admission.ts";
import { WriteAheadJournal, type WriteAheadOptions } from "../../src/runtime/node/write-ahead-journal.ts";
import { JournalThatFails } from "./journal-that-fails.ts";
import { silent } from "./postgres-world.ts";
import { amounts, receipt, reservation } from "./samples.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

describe("a journal with a write-ahead file", () => {
  let folder: string;
  let inner: JournalThatFails;
  let opened: WriteAheadJournal[];
  beforeEach(() => {
    folder = temporaryDirectory();
    inner = new JournalThatFails();
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map((journal) => journal.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (options: Partial<WriteAheadOptions> = {}, journal = inner): Promise<WriteAheadJournal> => {
    const ahead = await WriteAheadJournal.open(journal, folder, systemClock, silent, options);
    opened.push(ahead);
    return ahead;
  };
  const segments = (): string[] =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".wal"))
      .sort();
  const ids = (count: number, from = 0): string[] => Array.from({ length: count }, (_, place) => `r${from + place}`);
  const drained = (journal: WriteAheadJournal): Promise<void> =>
    vi.waitFor(() => expect(journal.waitingBytes).toBe(0), { timeout: 5_000, interval: 5 });

  it("writes no file while the journal is there", async () => {
    const journal = await open();
    await Promise.all(ids(10).map((id) => journal.append(receipt(id))));
    expect(inner.arrivals).toEqual(ids(10));
    expect(segments()).toEqual([]);
  });

  it("takes receipts while the journal is away and delivers them in order, once, when it is back", async () => {
    const journal = await open();
    inner.state = "away";
    for (const id of ids(50)) await journal.append(receipt(id));
    expect(inner.receipts.size).toBe(0);
    expect(segments()).toHaveLength(1);
    inner.state = "there";
    await drained(journal);
    expect(inner.arrivals).toEqual(ids(50));
    expect(segments()).toEqual([]);
    await journal.append(receipt("after"));
    expect(inner.arrivals).toEqual([...ids(50), "after"]);
  });

  it("lets nothing overtake what waits", async () => {
    const journal = await open();
    inner.state = "away";
    for (const id of ids(20)) await journal.append(receipt(id));
    inner.state = "there";
    for (const id of ids(20, 20)) await journal.append(receipt(id));
    await drained(journal);
    expect(inner.arrivals).toEqual(ids(40));
  });

  it("delivers nothing late or lost however often the journal comes and goes", async () => {
    const journal = await open({ segmentBytes: 10_000 });
    const stop = new AbortController();
    const flapping = (async () => {
      while (!stop.signal.aborted) {
        inner.state = inner.state === "there" ? "away" : "there";
        await delay(15);
      }
      inner.state = "there";
    })();
    for (let round = 0; round < 60; round++) {
      await Promise.all(ids(20, round * 20).map((id) => journal.append(receipt(id))));
      await delay(2);
    }
    stop.abort();
    await flapping;
    await drained(journal);
    expect([...inner.receipts.keys()].sort()).toEqual(ids(1_200).sort());
    expect(segments()).toEqual([]);
  });

  it("does not wait longer than its patience for a journal that says nothing", async () => {
    const journal = await open({ patienceMs: 50 });
    inner.state = "silent";
    const beganMs = performance.now();
    await journal.append(receipt("a"));
    expect(performance.now() - beganMs).toBeLessThan(500);
    await journal.append(receipt("b"));
    inner.speak("there");
    await drained(journal);
    expect([...inner.receipts.keys()].sort()).toEqual(["a", "b"]);
  });

  it("waits for a silent journal after all where the file has no room", async () => {
    const journal = await open({ patienceMs: 20, mostBytes: 10 });
    inner.state = "silent";
    const answered = journal.append(receipt("a"));
    await delay(60);
    inner.speak("there");
    await answered;
    expect(inner.receipts.has("a")).toBe(true);
  });

  it("refuses when the file is full, says so in time for no request to begin, and takes receipts again once it is not", async () => {
    const journal = await open({ mostBytes: 20_000, segmentBytes: 5_000 });
    inner.state = "away";
    let taken = 0;
    let roomEndedAt: number | undefined;
    for (;;) {
      const outcome = await journal.append(receipt(`r${taken}`)).catch((error: unknown) => error);
      if (outcome !== undefined) {
        expect(outcome).toMatchObject({ name: "StoreUnavailable" });
        break;
      }
      taken++;
      if (!journal.hasRoom) roomEndedAt ??= taken;
    }
    expect(roomEndedAt).toBeLessThan(taken);
    expect(journal.waitingBytes).toBeLessThanOrEqual(20_000);
    expect(segments().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)).toBe(journal.waitingBytes);
    inner.state = "there";
    await drained(journal);
    expect(journal.hasRoom).toBe(true);
    expect(inner.arrivals).toEqual(ids(taken));
    await journal.append(receipt("later"));
  });

  it("lets no reservation begin while the file is nearly full, and settles those that are open", async () => {
    const journal = await open({ mostBytes: 4_000 });
    const stores = openSqliteStores(folder, systemClock);
    const quota = refuseWhenFull(stores.quota, journal);
    expect((await quota.reserve(reservation("a", [], amounts(1)))).admitted).toBe(true);
    inner.state = "away";
    for (let place = 0; journal.hasRoom; place++) await journal.append(receipt(`r${place}`));
    await expect(quota.reserve(reservation("b", [], amounts(1)))).rejects.toMatchObject({ name: "StoreUnavailable" });
    expect(await quota.settle({ id: "a", tenantId: "acme", charge: amounts(1) })).toBe(true);
    inner.state = "there";
    await drained(journal);
    expect((await quota.reserve(reservation("b", [], amounts(1)))).admitted).toBe(true);
    stores.close();
  });

  it("passes on what the journal refuses for good, while it is there", async () => {
    const journal = await open();
    inner.refuses.add("odd");
    await expect(journal.append(receipt("odd"))).rejects.toThrow(RangeError);
    expect(journal.waitingBytes).toBe(0);
  });

  it("keeps a receipt that the journal refuses for good, without holding up those behind it", async () => {
    const journal = await open();
    inner.state = "away";
    inner.refuses.add("odd");
    for (const id of ["a", "odd", "b"]) await journal.append(receipt(id));
    inner.state = "there";
    await drained(journal);
    expect(inner.arrivals).toEqual(["a", "b"]);
    expect(JSON.parse(readFileSync(join(folder, "refused.jsonl"), "utf8"))).toMatchObject({ requestId: "odd" });
  });

  it("does not say that there is no receipt while it may be among those that wait", async () => {
    const journal = await open();
    await journal.append(receipt("known"));
    inner.state = "away";
    await journal.append(receipt("a", { responseId: "resp_1" }));
    await expect(journal.find("acme", "a")).rejects.toMatchObject({ name: "StoreUnavailable" });
    await expect(journal.findResponse("acme", "resp_1")).rejects.toMatchObject({ name: "StoreUnavailable" });
    expect(await journal.find("acme", "known")).toBeDefined();
    inner.state = "there";
    await drained(journal);
    expect(await journal.find("acme", "a")).toBeDefined();
    expect(await journal.find("acme", "nothing")).toBeUndefined();
  });

  it("delivers at its start what the process before it left", async () => {
    const before = await open();
    inner.state = "away";
    for (const id of ids(30)) await before.append(receipt(id));
    await before.close();
    inner.state = "there";
    const after = await open();
    await drained(after);
    expect(inner.arrivals).toEqual(ids(30));
  });

  it("delivers what waited before what comes after the start", async () => {
    const before = await open();
    inner.state = "away";
    for (const id of ids(5)) await before.append(receipt(id));
    await before.close();
    const after = await open();
    for (const id of ids(5, 5)) await after.append(receipt(id));
    inner.state = "there";
    await drained(after);
    expect(inner.arrivals).toEqual(ids(10));
  });

  it("starts with a file that was torn at any byte, without what was being written and with all else", async () => {
    const before = await open();
    inner.state = "away";
    for (const id of ids(3)) await before.append(receipt(id));
    await before.close();
    const [name] = segments();
    const path = join(folder, name ?? "");
    const whole = readFileSync(path);
    const frameBytes = whole.length / 3;
    // Every byte of the last frame and of its border; the frames' own test has every byte of a file.
    for (let length = Math.floor(frameBytes * 2) - 1; length <= whole.length; length += length % frameBytes < 20 ? 1 : 97) {
      writeFileSync(path, whole);
      truncateSync(path, length);
      const receiver = new JournalThatFails();
      const after = await open({}, receiver);
      await drained(after);
      expect(receiver.arrivals).toEqual(ids(Math.floor(length / frameBytes)));
      await after.close();
      expect(segments()).toEqual([]);
    }
  });

  it("keeps a damaged file for the operator, after delivering what is whole in it", async () => {
    const before = await open();
    inner.state = "away";
    for (const id of ids(3)) await before.append(receipt(id));
    await before.close();
    const path = join(folder, segments()[0] ?? "");
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    writeFileSync(path, bytes);
    inner.state = "there";
    const after = await open();
    await drained(after);
    expect(inner.arrivals).toEqual(ids(2, 1));
    expect(readFileSync(`${path}.damaged`)).toEqual(bytes);
  });

  it("gives each opening a file of its own, and takes over the files of those that are gone, each by exactly one", async () => {
    inner.state = "away";
    const gone = await Promise.all([open(), open(), open(), open()]);
    for (const [place, journal] of gone.entries()) for (const id of ids(10, place * 10)) await journal.append(receipt(id));
    expect(segments()).toHaveLength(4);
    await Promise.all(gone.map((journal) => journal.close()));
    inner.state = "there";
    const [one, two, three] = await Promise.all([open(), open(), open()]);
    await vi.waitFor(() => expect(segments()).toEqual([]), { timeout: 5_000, interval: 5 });
    await Promise.all([one, two, three].map(drained));
    expect(inner.arrivals.toSorted()).toEqual(ids(40).toSorted());
  });

  it("takes over what is left while it runs, and leaves alone what a living process holds", async () => {
    const living = await open({ adoptEveryMs: 20 });
    const away = new JournalThatFails();
    away.state = "away";
    const other = await open({}, away);
    await other.append(receipt("a"));
    await delay(100);
    expect(inner.arrivals).toEqual([]);
    await other.close();
    await vi.waitFor(() => expect(inner.arrivals).toEqual(["a"]), { timeout: 2_000, interval: 5 });
    expect(living.waitingBytes).toBe(0);
  });

  it("knows of receipts that wait for other processes, or were left by them", async () => {
    const journal = await open({ adoptEveryMs: 1e9 });
    expect(journal.receiptsWait()).toBe(false);
    const away = new JournalThatFails();
    away.state = "away";
    const other = await open({}, away);
    await other.append(receipt("a"));
    expect(journal.receiptsWait()).toBe(true);
    await other.close();
    expect(journal.receiptsWait()).toBe(true);
    await open();
    await vi.waitFor(() => expect(journal.receiptsWait()).toBe(false), { timeout: 5_000, interval: 5 });
  });

  it("refuses, and loses nothing that it took, where the disk fails", async () => {
    const journal = await open();
    inner.state = "away";
    await journal.append(receipt("a"));
    inner.state = "there";
    await drained(journal);
    inner.state = "away";
    // The next file cannot be made where something else has its name.
    mkdirSync(join(folder, "receipts-0000-00000002.wal"));
    await expect(journal.append(receipt("b"))).rejects.toMatchObject({ name: "StoreUnavailable" });
    rmSync(join(folder, "receipts-0000-00000002.wal"), { recursive: true });
    await journal.append(receipt("c"));
    inner.state = "there";
    await drained(journal);
    expect(inner.arrivals).toEqual(["a", "c"]);
  });

  it("lets nobody else read the files", async () => {
    rmSync(folder, { recursive: true });
    const journal = await open({ synchronous: "full" });
    inner.state = "away";
    await journal.append(receipt("a"));
    expect(statSync(folder).mode & 0o077).toBe(0);
    expect(statSync(join(folder, segments()[0] ?? "")).mode & 0o077).toBe(0);
  });

  it("refuses after it was closed, and leaves what waits", async () => {
    const journal = await open();
    inner.state = "away";
    const appended = ids(20).map((id) => journal.append(receipt(id)));
    await journal.close();
    await Promise.all(appended);
    await expect(journal.append(receipt("late"))).rejects.toMatchObject({ name: "StoreUnavailable" });
    expect(existsSync(join(folder, segments()[0] ?? ""))).toBe(true);
    inner.state = "there";
    await drained(await open());
    expect(inner.arrivals.toSorted()).toEqual(ids(20).toSorted());
  });
});
