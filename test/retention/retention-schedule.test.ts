import { beforeEach, describe, expect, it } from "vitest";
import { scheduleRetention } from "../../src/runtime/node/retention-schedule.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

describe("the schedule of retention", () => {
  let clock: FakeClock;
  let errors: unknown[];
  let runs: number[];
  /** When the turn was last taken, by whichever process. */
  let takenMs: number;
  beforeEach(() => {
    clock = new FakeClock();
    errors = [];
    runs = [];
    takenMs = 0;
  });

  const log = { info: () => undefined, warn: () => undefined, error: (...line: unknown[]) => void errors.push(line) };

  async function takeTurn(everyMs: number): Promise<boolean> {
    if (clock.nowMs() - takenMs < everyMs) return false;
    takenMs = clock.nowMs();
    return true;
  }

  /** A process that notes when it deletes. */
  function start(deleteDue: () => Promise<void> = async () => undefined, turn = takeTurn): () => Promise<void> {
    const run = async (): Promise<void> => {
      runs.push(clock.nowMs());
      await deleteDue();
    };
    return scheduleRetention({ takeTurn: turn }, run, clock, log);
  }

  it("leaves time after the start to put a tenant under a hold, and then deletes once a day", async () => {
    start();
    await clock.pass(10 * 60_000);
    expect(runs).toHaveLength(0);
    await clock.pass(3 * dayMs, 3 * 96);
    expect(runs).toHaveLength(3);
    for (const [index, atMs] of runs.slice(1).entries()) expect(atMs - (runs[index] ?? 0)).toBeLessThanOrEqual(dayMs);
    expect(errors).toEqual([]);
  });

  it("deletes in one process of several, and goes on in another once that one is gone", async () => {
    const stops = [start(), start(), start()];
    await clock.pass(hourMs, 4);
    expect(runs).toHaveLength(1);
    await stops[0]?.();
    await clock.pass(dayMs, 96);
    expect(runs).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  it("asks again after the turn or the run failed, and says so", async () => {
    let failing = true;
    start(
      async () => {
        if (failing) throw new Error("no disk");
      },
      async () => {
        if (failing && runs.length > 0) throw new Error("no store");
        return true;
      },
    );
    await clock.pass(hourMs, 4);
    expect(runs).toHaveLength(1);
    expect(errors).toEqual(
      ["no disk", "no store", "no store", "no store"].map((reason) => [
        "records that are due could not be deleted",
        { error: `Error: ${reason}` },
      ]),
    );
    failing = false;
    await clock.pass(15 * 60_000);
    expect(runs).toHaveLength(2);
    expect(errors).toHaveLength(4);
  });

  it("does nothing more once it is stopped", async () => {
    const stop = start();
    await clock.pass(hourMs, 4);
    await stop();
    expect(clock.pending).toBe(0);
    await clock.pass(2 * dayMs, 8);
    expect(runs).toHaveLength(1);
  });

  it("is stopped when the run under way has ended, and begins no other", async () => {
    let end: (() => void) | undefined;
    const stop = start(() => new Promise((resolve) => (end = resolve)));
    await clock.pass(15 * 60_000);
    expect(runs).toHaveLength(1);
    let isStopped = false;
    void stop().then(() => (isStopped = true));
    await settled();
    expect(isStopped).toBe(false);
    end?.();
    await settled();
    expect(isStopped).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
