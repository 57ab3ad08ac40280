import { direct, inTurn, sound } from "../bench.ts";
import type { Measure } from "../bench.ts";

/** Beyond this rate the generator and the upstream take a core for themselves, and it is their queues that are timed. */
const mostPerSecond = 5000;

/** What a proxy adds to an answer's time at half of the load that it can take, against the upstream called directly at that same rate. */
export const latency: Measure = {
  name: "latency",
  rounds: (settings) => settings.rounds,
  async run(bench, round) {
    const { directMs, proxiedMs } = bench.settings;
    for (const subject of inTurn(bench.subjects, round)) {
      const ratePerSecond = Math.min(mostPerSecond, subject.capacityPerSecond / 2);
      const without = await bench.generator.run({ kind: "open", target: direct, ratePerSecond, forMs: directMs });
      const through = await bench.generator.run({ kind: "open", target: subject.name, ratePerSecond, forMs: proxiedMs });
      if (!sound(bench, "direct, latency", without) || !sound(bench, `${subject.name}, latency`, through)) continue;
      bench.results.add("addedP50", subject.name, round, through.p50Ms - without.p50Ms);
      bench.results.add("addedP99", subject.name, round, through.p99Ms - without.p99Ms);
    }
  },
};
