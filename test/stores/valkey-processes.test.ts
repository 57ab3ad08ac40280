import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { limit } from "./samples.ts";
import { mostAtOnce } from "./most-at-once.ts";
import { worldBeginsMs } from "./store-world.ts";
import type { HammerOrder, HammerReport } from "./valkey-hammer.ts";
import { openTestQuota, setTestTime } from "./valkey-world.ts";

const hourMs = 3_600_000;

describeOnValkey("several processes on one Valkey", () => {
  let server: ValkeyServer;
  const children: ChildProcess[] = [];

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
  });

  function start(more: Partial<HammerOrder>, onReport: (report: HammerReport) => void): ChildProcess {
    const order: HammerOrder = {
      address: server.address,
      name: "child",
      ceiling: 10_000,
      concurrent: 5,
      workers: 8,
      skewMs: 0,
      leaveOpen: false,
      sliceFolder: undefined,
      ...more,
    };
    const child = fork(new URL("./valkey-hammer.ts", import.meta.url), [JSON.stringify(order)], { execArgv: [] });
    child.on("message", (report) => onReport(report as HammerReport));
    children.push(child);
    return child;
  }

  it("never exceed a limit together and use all of it, however wrong their clocks are", { timeout: 40_000 }, async () => {
    const ceiling = 20_000;
    const skews = [0, -hourMs, hourMs, 10 * hourMs];
    const started: ChildProcess[] = [];
    let ready = 0;
    const reports = skews.map(
      (skewMs, index) =>
        new Promise<Extract<HammerReport, { kind: "done" }>>((resolve, reject) => {
          const child = start({ name: `p${index}`, ceiling, skewMs }, (report) => {
            if (report.kind === "done") resolve(report);
            if (report.kind === "ready" && ++ready === skews.length) for (const one of started) one.send("begin");
          });
          child.on("exit", (code) => code !== 0 && reject(new Error(`p${index} ended with ${code}`)));
          started.push(child);
        }),
    );
    const done = await Promise.all(reports);

    const charged = done.reduce((sum, one) => sum + one.charged, 0);
    expect(charged).toBeLessThanOrEqual(ceiling);
    expect(charged).toBeGreaterThan(ceiling - 10);
    expect(mostAtOnce(done.flatMap((one) => one.spans))).toBeLessThanOrEqual(5);
    for (const one of done) expect(one.spans.length).toBeGreaterThan(0);

    const store = await openTestQuota(server);
    const states = await store.quota.inspect("acme", [
      limit("daily", "tokens", "day", ceiling),
      limit("concurrent", "concurrent", "open", 5),
    ]);
    store.close();
    expect(states.map((state) => state.remaining)).toEqual([ceiling - charged, 5]);
  });

  it("lose no reservation that was promised when one of them is killed", { timeout: 40_000 }, async () => {
    const promised = new Set<string>();
    const child = start({ leaveOpen: true, ceiling: 1_000_000, concurrent: 100_000 }, (report) => {
      if (report.kind === "ready") child.send("begin");
      if (report.kind !== "reserved") return;
      promised.add(report.id);
      if (promised.size === 200) child.kill("SIGKILL");
    });
    await once(child, "exit");
    expect(promised.size).toBeGreaterThanOrEqual(200);

    await setTestTime(server, worldBeginsMs + hourMs);
    const store = await openTestQuota(server);
    const expired = await store.quota.expire(100_000);
    const [concurrent] = await store.quota.inspect("acme", [limit("concurrent", "concurrent", "open", 100_000)]);
    store.close();
    const found = new Set(expired.map((one) => one.id));
    expect([...promised].filter((id) => !found.has(id))).toEqual([]);
    expect(concurrent?.remaining).toBe(100_000);
  });
});
