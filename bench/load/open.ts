import { randomNumbers } from "../random-numbers.ts";
import { percentile } from "../statistics.ts";
import type { Caller } from "./caller.ts";
import type { LatencyResult, OpenLoad } from "./commands.ts";
import { Tally } from "./tally.ts";

/** The share of the time, at the start, in which connections are still being made. */
const settlingShare = 0.15;

/**
 * Sends at random (Poisson) moments of a fixed mean rate, whether or not answers return, because clients do not wait
 * for each other. The moments are the same in every run, so direct and proxied calls meet the same bursts.
 */
export function openLoop(caller: Caller, load: OpenLoad): Promise<LatencyResult> {
  const tally = new Tally();
  const latenciesMs: number[] = [];
  const random = randomNumbers(20_261_123);
  const startedAt = performance.now();
  const meanGapMs = 1000 / load.ratePerSecond;
  let nextAt = startedAt;
  let open = 0;
  let ended = false;
  return new Promise((resolve) => {
    const finish = (): void => {
      if (!ended || open > 0) return;
      const { completed, failed, firstFailure } = tally;
      resolve({ completed, failed, firstFailure, p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99) });
    };
    const send = (): void => {
      // From here, not from the planned moment: the lateness of this process's timer is nobody's latency.
      const sentAt = performance.now();
      open += 1;
      caller.call({
        done: (failure) => {
          open -= 1;
          tally.add(failure);
          if (failure === undefined && sentAt - startedAt > load.forMs * settlingShare)
            latenciesMs.push(performance.now() - sentAt);
          finish();
        },
      });
    };
    const tick = (): void => {
      const now = performance.now();
      if (now - startedAt >= load.forMs) {
        ended = true;
        finish();
        return;
      }
      while (nextAt <= now) {
        send();
        nextAt -= Math.log(1 - random()) * meanGapMs;
      }
      setTimeout(tick, 1);
    };
    tick();
  });
}
