import { setTimeout as delay } from "node:timers/promises";
import { direct, inTurn, sound } from "../bench.ts";
import type { Measure } from "../bench.ts";
import { cpuMs } from "../process-cost.ts";

/** How much later a stream's first byte comes through a proxy, with nothing else going on. */
export const firstByte: Measure = {
  name: "first-byte",
  rounds: (settings) => settings.rounds,
  async run(bench, round) {
    const load = {
      kind: "firstBytes",
      streams: bench.settings.firstByteStreams,
      order: { events: 2, intervalMs: 1, idle: false },
    } as const;
    for (const subject of inTurn(bench.subjects, round)) {
      const without = await bench.generator.run({ ...load, target: direct });
      const through = await bench.generator.run({ ...load, target: subject.name });
      if (!sound(bench, "direct, first byte", without) || !sound(bench, `${subject.name}, first byte`, through)) continue;
      bench.results.add("firstByte", subject.name, round, through.p50Ms - without.p50Ms);
    }
  },
};

/** Below this share of pieces to events, something joined events, and the cost of one event is no longer what is seen. */
const leastPieces = 0.9;

/** CPU time for one event of a paced stream; each stream's request and end are spread over its events. */
export const streamCpu: Measure = {
  name: "stream",
  rounds: (settings) => settings.rounds,
  async run(bench, round) {
    const { eventStreams, eventsPerStream, eventIntervalMs } = bench.settings;
    const order = { events: eventsPerStream, intervalMs: eventIntervalMs, idle: false };
    for (const subject of inTurn(bench.subjects, round)) {
      const before = cpuMs(subject.running.pid);
      const spreadMs = 20 * eventIntervalMs;
      const read = await bench.generator.run({ kind: "streams", target: subject.name, order, streams: eventStreams, spreadMs });
      await delay(250);
      const usedMs = cpuMs(subject.running.pid) - before;
      if (!sound(bench, `${subject.name}, CPU a streamed event`, read)) continue;
      if (read.pieces < read.events * leastPieces)
        bench.results.note(`${subject.name}: streamed events arrived joined, so their cost looks lower than it is`);
      bench.results.add("cpuPerEvent", subject.name, round, (usedMs * 1000) / read.events);
    }
  },
};
