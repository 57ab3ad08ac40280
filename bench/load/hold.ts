import type { Caller } from "./caller.ts";
import type { HoldLoad, HoldResult } from "./commands.ts";
import { Tally } from "./tally.ts";

const openingAtOnce = 50;

/** Opens streams that then stay silent. Resolves when every one has begun or failed; they stay open until the caller is closed. */
export function holdStreams(caller: Caller, load: HoldLoad): Promise<HoldResult> {
  const lost = new Tally();
  let begun = 0;
  let asked = 0;
  return new Promise((resolve) => {
    const settled = (): void => {
      if (begun + lost.failed >= load.streams)
        resolve({ completed: begun, failed: lost.failed, firstFailure: lost.firstFailure });
      else if (asked < load.streams) open();
    };
    const open = (): void => {
      asked += 1;
      let began = false;
      caller.call({
        data: () => {
          if (began) return;
          began = true;
          begun += 1;
          settled();
        },
        done: (failure) => {
          // One that began and then ended is no longer held: it moves from begun to lost.
          if (began) begun -= 1;
          lost.add(failure ?? "the stream ended by itself");
          settled();
        },
      });
    };
    for (let index = 0; index < Math.min(openingAtOnce, load.streams); index += 1) open();
  });
}
