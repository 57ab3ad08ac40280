import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { ManualClock } from "./manual-clock.ts";
import { mostAtOnce } from "./most-at-once.ts";
import { limit } from "./samples.ts";
import { temporaryDirectory } from "./sqlite-world.ts";
import { worldBeginsMs } from "./store-world.ts";
import type { HammerOrder, HammerReport } from "./valkey-hammer.ts";
import { openTestQuota, setTestTime } from "./valkey-world.ts";

const concurrent = 400;
const hourMs = 3_600_000;

describeOnValkey("several processes with slices of limits on one Valkey", () => {
  let server: ValkeyServer;
  const children: ChildProcess[] = [];
  const folders: string[] = [];

  beforeAll(async () => {
    server = await ValkeyServer.start();
  }, 20_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    await server.command("FLUSHALL");
    await setTestTime(server, worldBeginsMs);
  });
  afterEach(() => {
    for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });

  function start(more: Partial<HammerOrder>, onReport: (report: HammerReport) => void): ChildProcess {
    const sliceFolder = temporaryDirectory();
    folders.push(sliceFolder);
    const order: HammerOrder = {
      address: server.address,
      name: "child",
      ceiling: 10_000,
      concurrent,
      workers: 40,
      skewMs: 0,
      leaveOpen: false,
      sliceFolder,
      ...more,
    };
    const child = fork(new URL("./valkey-hammer.ts", import.meta.url), [JSON.stringify(order)], { execArgv: [] });
    child.on("message", (report) => onReport(report as HammerReport));
    children.push(child);
    return child;
  }

  it("never exceed a limit together and use all of it, with few calls", { timeout: 60_000 }, async () => {
    const ceiling = 100_000;
    const names = ["p0", "p1", "p2", "p3"];
    const started: ChildProcess[] = [];
    let ready = 0;
    const reports = names.map(
      (name) =>
        new Promise<Extract<HammerReport, { kind: "done" }>>((resolve, reject) => {
          const child = start({ name, ceiling }, (report) => {
            if (report.kind === "done") resolve(report);
            if (report.kind === "ready" && ++ready === names.length) for (const one of started) one.send("begin");
          });
          child.on("exit", (code) => code !== 0 && reject(new Error(`${name} ended with ${code}`)));
          started.push(child);
        }),
    );
    const done = await Promise.all(reports);

    const charged = done.reduce((sum, one) => sum + one.charged, 0);
    expect(charged).toBeLessThanOrEqual(ceiling);
    expect(charged).toBeGreaterThan(ceiling - 10);
    expect(mostAtOnce(done.flatMap((one) => one.spans))).toBeLessThanOrEqual(concurrent);
    const admitted = done.reduce((sum, one) => sum + one.spans.length, 0);
    // Without slices each is one call, and its settlement another.
    const calls = done.reduce((sum, one) => sum + one.calls - one.refused, 0);
    expect(calls).toBeLessThan(2 * admitted);

    const store = await openTestQuota(server);
    const states = await store.quota.inspect("acme", [
      limit("daily", "tokens", "day", ceiling),
      limit("concurrent", "concurrent", "open", concurrent),
    ]);
    store.close();
    expect(states.map((state) => state.remaining)).toEqual([ceiling - charged, concurrent]);
  });

  it("lose no reservation that was promised when one of them is killed", { timeout: 60_000 }, async () => {
    const promised = new Set<string>();
    const child = start({ leaveOpen: true, ceiling: 1_000_000, concurrent: 100_000 }, (report) => {
      if (report.kind === "ready") child.send("begin");
      if (report.kind !== "reserved") return;
      promised.add(report.id);
      if (promised.size === 2_000) child.kill("SIGKILL");
    });
    await once(child, "exit");

    await setTestTime(server, worldBeginsMs + hourMs);
    const shared = await openTestQuota(server);
    const inServer = await shared.quota.expire(100_000);
    const [open] = await shared.quota.inspect("acme", [limit("concurrent", "concurrent", "open", 100_000)]);
    shared.close();
    const local = openSqliteStores(folders[0] ?? "", new ManualClock(Date.now() + hourMs));
    const inFile = await local.quota.expire(100_000);
    local.close();
    // Most were admitted from slices.
    expect(inFile.length).toBeGreaterThan(1_000);
    const found = new Set([...inServer, ...inFile].map((one) => one.id));
    expect([...promised].filter((id) => !found.has(id))).toEqual([]);
    expect(open?.remaining).toBe(100_000);
  });
});
