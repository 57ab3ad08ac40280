import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { ManualClock } from "./manual-clock.ts";
import { limit } from "./samples.ts";
import type { HammerOrder, HammerReport } from "./sqlite-hammer.ts";
import { temporaryDirectory } from "./sqlite-world.ts";

const noonMs = Date.UTC(2026, 2, 31, 12);

describe("several processes on one SQLite file", () => {
  let directory: string;
  const children: ChildProcess[] = [];

  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => {
    for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  });

  function start(more: Partial<HammerOrder>, onReport: (report: HammerReport) => void): ChildProcess {
    const order: HammerOrder = {
      directory,
      name: "child",
      ceiling: 10_000,
      concurrent: 5,
      workers: 8,
      leaseMs: 60_000,
      noonMs,
      epochMs: Date.now(),
      leaveOpen: false,
      ...more,
    };
    const child = fork(new URL("./sqlite-hammer.ts", import.meta.url), [JSON.stringify(order)], { execArgv: [] });
    child.on("message", (report) => onReport(report as HammerReport));
    children.push(child);
    return child;
  }

  it("never exceed a limit together, use all of it, and write down all that they used", { timeout: 30_000 }, async () => {
    const ceiling = 10_000;
    const names = ["a", "b", "c"];
    const started: ChildProcess[] = [];
    let ready = 0;
    const reports = names.map(
      (name) =>
        new Promise<Extract<HammerReport, { kind: "done" }>>((resolve, reject) => {
          const child = start({ name, ceiling }, (report) => {
            if (report.kind === "done") resolve(report);
            if (report.kind === "ready" && ++ready === names.length) for (const one of started) one.send("begin");
          });
          // Reports may arrive after the exit; only a bad one ends the wait.
          child.on("exit", (code) => code !== 0 && reject(new Error(`${name} ended with ${code}`)));
          started.push(child);
        }),
    );
    const done = await Promise.all(reports);

    const charged = done.reduce((sum, one) => sum + one.charged, 0);
    expect(charged).toBeLessThanOrEqual(ceiling);
    expect(charged).toBeGreaterThan(ceiling - 10);
    expect(mostAtOnce(done.flatMap((one) => one.spans))).toBeLessThanOrEqual(5);
    for (const one of done) expect(one.spans.length).toBeGreaterThan(0);

    const stores = openSqliteStores(directory, new ManualClock(noonMs + 1_000));
    const [daily, concurrent] = await stores.quota.inspect("acme", [
      limit("daily", "tokens", "day", ceiling),
      limit("concurrent", "concurrent", "open", 5),
    ]);
    const receipts = await stores.journal.list("acme", undefined, 100_000);
    stores.close();
    expect(daily?.remaining).toBe(ceiling - charged);
    expect(concurrent?.remaining).toBe(5);
    expect(receipts).toHaveLength(done.reduce((sum, one) => sum + one.spans.length, 0));
    expect(receipts.reduce((sum, one) => sum + one.chargedTokens, 0)).toBe(charged);
  });

  it("lose no reservation that was promised when one of them is killed", { timeout: 30_000 }, async () => {
    const promised = new Set<string>();
    const child = start({ leaveOpen: true, ceiling: 1_000_000, concurrent: 100_000, leaseMs: 60_000 }, (report) => {
      if (report.kind === "ready") child.send("begin");
      if (report.kind !== "reserved") return;
      promised.add(report.id);
      if (promised.size === 200) child.kill("SIGKILL");
    });
    await once(child, "exit");
    expect(promised.size).toBeGreaterThanOrEqual(200);

    const clock = new ManualClock(noonMs + 3_600_000);
    const stores = openSqliteStores(directory, clock);
    const expired = await stores.quota.expire(100_000);
    const [concurrent] = await stores.quota.inspect("acme", [limit("concurrent", "concurrent", "open", 100_000)]);
    stores.close();
    const found = new Set(expired.map((one) => one.id));
    expect([...promised].filter((id) => !found.has(id))).toEqual([]);
    expect(concurrent?.remaining).toBe(100_000);
  });
});

/** The most spans that overlap; one that ends where another begins does not. */
function mostAtOnce(spans: readonly (readonly [fromMs: number, toMs: number])[]): number {
  const edges = spans.flatMap(([fromMs, toMs]) => [
    { atMs: fromMs, by: 1 },
    { atMs: toMs, by: -1 },
  ]);
  edges.sort((left, right) => left.atMs - right.atMs || left.by - right.by);
  let now = 0;
  let most = 0;
  for (const edge of edges) most = Math.max(most, (now += edge.by));
  return most;
}
