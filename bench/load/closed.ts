import type { Caller } from "./caller.ts";
import type { ClosedLoad, LoopResult } from "./commands.ts";
import { Tally } from "./tally.ts";

/** Keeps `connections` requests in flight until the time or the number is used up: as fast as the target goes. */
export function closedLoop(caller: Caller, load: ClosedLoad): Promise<LoopResult> {
  const tally = new Tally();
  const startedAt = performance.now();
  let sent = 0;
  let open = 0;
  return new Promise((resolve) => {
    const next = (): void => {
      if (sent < load.atMost && performance.now() - startedAt < load.forMs) {
        sent += 1;
        open += 1;
        caller.call({ done });
      } else if (open === 0) {
        resolve({
          completed: tally.completed,
          failed: tally.failed,
          firstFailure: tally.firstFailure,
          elapsedMs: performance.now() - startedAt,
        });
      }
    };
    const done = (failure: string | undefined): void => {
      open -= 1;
      tally.add(failure);
      // A refusal may come back on this very turn; without a pause a dead target would spin here.
      if (failure === undefined) next();
      else setTimeout(next, 10);
    };
    for (let index = 0; index < load.connections; index += 1) next();
  });
}
