import { readdirSync, rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WriteAheadLog } from "../../src/runtime/node/write-ahead-log.ts";
import { WriteAheadSlot } from "../../src/runtime/node/write-ahead-slot.ts";
import { silent } from "./postgres-world.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

describe("the write-ahead file", () => {
  let folder: string;
  let log: WriteAheadLog;
  const open = (segmentBytes = 1_000): Promise<WriteAheadLog> =>
    WriteAheadLog.open(WriteAheadSlot.take(folder), { synchronous: "full", mostBytes: 100_000, segmentBytes }, silent);
  beforeEach(async () => {
    folder = temporaryDirectory();
    log = await open();
  });
  afterEach(async () => {
    await log.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const takeAll = async (): Promise<string[]> => {
    const taken: string[] = [];
    for (;;) {
      const batch = await log.next(3);
      if (batch.length === 0) return taken;
      taken.push(...batch);
      await log.delivered(batch.length);
    }
  };

  it("loses nothing that is written at the very moment when all before it is delivered", async () => {
    const taken: string[] = [];
    for (let round = 0; round < 100; round++) {
      await log.append(`${round} first`);
      // Each step of the write meets each step of the delivery in some round.
      const second = log.append(`${round} second`);
      for (let step = 0; step < round % 10; step++) await new Promise((resolve) => setImmediate(resolve));
      taken.push(...(await takeAll()));
      const third = log.append(`${round} third`);
      taken.push(...(await takeAll()));
      await Promise.all([second, third]);
    }
    taken.push(...(await takeAll()));
    expect(taken).toEqual(
      Array.from({ length: 100 }, (_, round) => [`${round} first`, `${round} second`, `${round} third`]).flat(),
    );
    expect(log.bytes).toBe(0);
  });

  it("begins again at the beginning of a file of which only a part was delivered", async () => {
    for (const payload of ["a", "b", "c", "d", "e"]) await log.append(payload);
    expect(await log.next(3)).toEqual(["a", "b", "c"]);
    await log.delivered(3);
    await log.close();
    log = await open();
    expect(await takeAll()).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("drops each file as soon as it is delivered, and goes on in the order of the files", async () => {
    const payloads = Array.from({ length: 50 }, (_, place) => `${place}`.padEnd(100, "."));
    for (const payload of payloads) await log.append(payload);
    const files = (): number => readdirSync(folder).filter((name) => name.endsWith(".wal")).length;
    const before = files();
    expect(before).toBeGreaterThan(5);
    const batch = await log.next(20);
    await log.delivered(batch.length);
    expect(files()).toBe(before - 1);
    await log.close();
    log = await open();
    expect(await takeAll()).toEqual(payloads.slice(batch.length));
    expect(files()).toBe(0);
  });

  it("shows nothing before it is durable", async () => {
    const appended = log.append("a");
    expect(await log.next(3)).toEqual([]);
    await appended;
    expect(await log.next(3)).toEqual(["a"]);
  });
});
