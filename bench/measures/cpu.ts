import { setTimeout as delay } from "node:timers/promises";
import { inTurn, sound } from "../bench.ts";
import type { Bench, Measure, Subject } from "../bench.ts";
import { cpuMs } from "../process-cost.ts";

/** After the last answer: what a proxy writes or sends late (journal, spans) belongs to its requests. */
const afterworkMs = 250;

/** CPU time of the proxy's process for one request, with as many requests as it can take. */
export const cpu: Measure = {
  name: "cpu",
  rounds: (settings) => settings.rounds,
  async run(bench, round) {
    for (const subject of inTurn(bench.subjects, round)) {
      const cost = await cpuOfLoop(bench, subject);
      if (cost === undefined) continue;
      bench.results.add("cpuPerRequest", subject.name, round, cost.microseconds);
      bench.results.add("throughput", subject.name, round, cost.perSecond);
    }
  },
};

/** The same for one gateway in several sizes: cost must not grow with tenants that are not calling or places not chosen. */
export const flatness: Measure = {
  name: "flatness",
  rounds: (settings) => settings.rounds,
  async run(bench, round) {
    for (const subject of inTurn(bench.sizes, round)) {
      const cost = await cpuOfLoop(bench, subject);
      if (cost !== undefined) bench.results.add("flatness", subject.name, round, cost.microseconds);
    }
  },
};

async function cpuOfLoop(bench: Bench, subject: Subject): Promise<{ microseconds: number; perSecond: number } | undefined> {
  const { connections, closedMs } = bench.settings;
  const before = cpuMs(subject.running.pid);
  const loop = await bench.generator.run({
    kind: "closed",
    target: subject.name,
    connections,
    forMs: closedMs,
    atMost: Number.MAX_SAFE_INTEGER,
  });
  await delay(afterworkMs);
  const usedMs = cpuMs(subject.running.pid) - before;
  if (!sound(bench, `${subject.name}, CPU a request`, loop)) return undefined;
  return { microseconds: (usedMs * 1000) / loop.completed, perSecond: (loop.completed * 1000) / loop.elapsedMs };
}
