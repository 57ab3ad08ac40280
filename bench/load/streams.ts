import { percentile } from "../statistics.ts";
import type { Caller } from "./caller.ts";
import type { FirstByteLoad, LatencyResult, StreamLoad, StreamResult } from "./commands.ts";
import { Tally } from "./tally.ts";

/** Not counted: these make the connections and warm the code. */
const settling = 5;
const eventEnd = Buffer.from("\n\n");

/** Reads many paced streams at once, begun one after the other so that their events do not fall on the same moments. */
export function readStreams(caller: Caller, load: StreamLoad): Promise<StreamResult> {
  const tally = new Tally();
  let events = 0;
  let pieces = 0;
  const data = (bytes: Buffer): void => {
    pieces += 1;
    for (let at = bytes.indexOf(eventEnd); at !== -1; at = bytes.indexOf(eventEnd, at + 2)) events += 1;
  };
  return new Promise((resolve) => {
    const done = (failure: string | undefined): void => {
      tally.add(failure);
      if (tally.completed + tally.failed < load.streams) return;
      resolve({ completed: tally.completed, failed: tally.failed, firstFailure: tally.firstFailure, events, pieces });
    };
    for (let index = 0; index < load.streams; index += 1) {
      setTimeout(() => caller.call({ data, done }), (index / load.streams) * load.spreadMs);
    }
  });
}

/** Streams one at a time: from the request to the first byte of the body, with nothing else going on. */
export async function firstBytes(caller: Caller, load: FirstByteLoad): Promise<LatencyResult> {
  const tally = new Tally();
  const delaysMs: number[] = [];
  for (let index = 0; index < load.streams + settling && tally.failed < 10; index += 1) {
    await new Promise<void>((resolve) => {
      const sentAt = performance.now();
      let delayMs: number | undefined;
      caller.call({
        data: () => (delayMs ??= performance.now() - sentAt),
        done: (failure) => {
          tally.add(failure);
          if (failure === undefined && delayMs !== undefined && index >= settling) delaysMs.push(delayMs);
          resolve();
        },
      });
    });
  }
  const { completed, failed, firstFailure } = tally;
  return { completed, failed, firstFailure, p50Ms: percentile(delaysMs, 0.5), p99Ms: percentile(delaysMs, 0.99) };
}
