import { beforeEach, describe, expect, it } from "vitest";
import { PlaceAlarm } from "../../src/place-alarm.ts";
import { sumByDeployment } from "../../src/place-mismatches.ts";
import { MemoryDirectory } from "../control/memory-directory.ts";
import { mismatches } from "../stores/samples.ts";
import { deployment } from "../support/catalogue.ts";
import { FakeClock } from "../support/fake-clock.ts";

const here = deployment("aaa");
let clock: FakeClock;
let records: MemoryDirectory;
let quarantined: string[];
let warned: string[];
beforeEach(() => {
  clock = new FakeClock();
  records = new MemoryDirectory();
  quarantined = [];
  warned = [];
});

const alarm = (replica = "one"): PlaceAlarm =>
  new PlaceAlarm({
    clock,
    log: { info: () => undefined, warn: (message) => void warned.push(message), error: () => undefined },
    replica,
    records,
    quarantine: async ({ id }) => void quarantined.push(id),
  });

describe("what is found wrong with a place", () => {
  it("is counted over replicas, and outlives the process that found it", async () => {
    await alarm().raise(here, "place_mismatch", "was elsewhere", "req_1");
    clock.advance(50);
    const second = alarm("two");
    await second.raise(here, "connection_refused", "led elsewhere", "req_2");
    await second.raise(here, "place_mismatch", "was there again", "req_3");
    expect(await alarm("three").list()).toEqual([
      {
        deployment: here.id,
        answers: 2,
        connections: 1,
        firstAtMs: clock.nowMs() - 50,
        lastAtMs: clock.nowMs(),
        last: "was there again",
        lastRequest: "req_3",
      },
    ]);
    expect(quarantined).toEqual([here.id, here.id]);
  });

  it("holds nobody up while it cannot be put on record, and is when it next can", async () => {
    const keep = records.keepMismatches.bind(records);
    records.keepMismatches = () => Promise.reject(new Error("away"));
    const first = alarm();
    await first.raise(here, "place_mismatch", "was elsewhere", "req_1");
    expect([quarantined, warned, records.found.size]).toEqual([[here.id], [expect.stringContaining("on record")], 0]);
    records.keepMismatches = () => new Promise(() => undefined);
    const raised = first.raise(here, "connection_refused", "led elsewhere", "req_2");
    await clock.pass(1_000);
    await raised;
    records.keepMismatches = keep;
    expect(await first.list()).toMatchObject([{ answers: 1, connections: 1 }]);
    expect(records.found.size).toBe(1);
  });
});

it("sums say once what a replica says twice, latest deployment first", () => {
  const words = [mismatches("a", "one", 2), mismatches("a", "two", 3), mismatches("b", "one", 9), mismatches("a", "one", 1)];
  expect(sumByDeployment(words).map(({ deployment: id, answers, last }) => [id, answers, last])).toEqual([
    ["b", 9, "mismatch 9"],
    ["a", 5, "mismatch 3"],
  ]);
});
