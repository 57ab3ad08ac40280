import { setTimeout as delay } from "node:timers/promises";
import { inTurn, sound } from "../bench.ts";
import type { Bench, Measure, Subject } from "../bench.ts";
import { collectable, Unavailable } from "../proxy.ts";
import type { Running } from "../proxy.ts";
import { residentBytes } from "../process-cost.ts";

const warmUpRequests = 500;
const settleMs = 250;

/**
 * What one open, silent stream keeps in memory. Each sample is a new process: one that has worked before holds pages
 * that it no longer needs, and the streams would seem to cost nothing. For the same reason a first lot of streams is
 * opened before memory is read: it fills what the start and the warm-up left over, and the streams counted come on top.
 */
export const memory: Measure = {
  name: "memory",
  rounds: (settings) => settings.memoryRounds,
  async run(bench, round) {
    const started = await Promise.all(
      inTurn(bench.subjects, round).map(async (subject) => ({ subject, running: await startFresh(bench, subject) })),
    );
    for (const { subject, running } of started) {
      if (running === undefined) continue;
      const perStream = await bytesPerStream(bench, subject, running);
      if (perStream !== undefined) bench.results.add("memoryPerStream", subject.name, round, perStream / 1024);
      await running.stop();
    }
  },
};

async function startFresh(bench: Bench, { proxy }: Subject): Promise<Running | undefined> {
  const { children, upstreamOrigin } = bench;
  try {
    return await proxy.start({ children, upstreamOrigin, scratch: children.scratch(), nodeArguments: collectable });
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    bench.results.note(error.message);
    return undefined;
  }
}

async function bytesPerStream(bench: Bench, { name, proxy }: Subject, running: Running): Promise<number | undefined> {
  const { generator, settings } = bench;
  const [ballast, counted] = [`${name}, ballast`, `${name}, counted`];
  for (const target of [ballast, counted]) await generator.run({ kind: "target", name: target, target: running.target });
  await generator.run({
    kind: "closed",
    target: ballast,
    connections: settings.connections,
    forMs: 5000,
    atMost: warmUpRequests,
  });
  const first = await generator.run({ kind: "hold", target: ballast, streams: settings.ballastStreams });
  if (!sound(bench, `${name}, memory an open stream`, first)) return undefined;
  const before = await settledBytes(running, proxy.runsOnNode);
  const held = await generator.run({ kind: "hold", target: counted, streams: settings.idleStreams });
  const after = await settledBytes(running, proxy.runsOnNode);
  for (const target of [ballast, counted]) await generator.run({ kind: "release", target });
  return sound(bench, `${name}, memory an open stream`, held) ? (after - before) / held.completed : undefined;
}

async function settledBytes(running: Running, collects: boolean): Promise<number> {
  for (let time = 0; time < 2; time += 1) {
    await delay(settleMs);
    if (collects) process.kill(running.pid, "SIGUSR2");
  }
  await delay(settleMs);
  return residentBytes(running.pid);
}
