import { randomNumbers } from "../../../bench/random-numbers.ts";
import type { TraceName, TraceRequest } from "./trace.ts";

/** What is known of a trace: enough to make one that meets a limit alike. */
interface Statistics {
  /** Requests in each minute. */
  readonly minutes: readonly number[];
  /** Requests that arrive in one second, on average over the seconds in which any do; `undefined`: evenly, one by one. */
  readonly burst: number | undefined;
  /** Tokens at the shares of `shares`. */
  readonly prompt: readonly number[];
  readonly output: readonly number[];
}

const shares = [0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];

/** Taken from the Azure LLM inference traces of 2023 (Azure/AzurePublicDataset, CC BY 4.0; Splitwise, ISCA 2024). */
const statistics: Readonly<Record<TraceName, Statistics>> = {
  code: {
    minutes: [
      63, 0, 0, 531, 187, 130, 15, 42, 38, 476, 421, 63, 0, 0, 632, 299, 0, 20, 396, 315, 116, 78, 306, 447, 252, 34, 128, 111,
      406, 234, 118, 169, 130, 306, 158, 0, 339, 55, 285, 191, 0, 28, 205, 245, 99, 0, 0, 32, 0, 0, 0, 97, 212, 22, 32, 113, 47,
      196,
    ],
    burst: 9.6,
    prompt: [3, 17, 75, 147, 385, 770, 1075, 1469, 1909, 2433, 3193, 5194, 7315, 7436, 7437],
    output: [6, 6, 6, 7, 8, 9, 11, 13, 16, 20, 29, 55, 90, 252, 1899],
  },
  conv: {
    minutes: [
      191, 265, 329, 353, 307, 273, 268, 261, 322, 298, 301, 302, 345, 326, 283, 279, 280, 308, 343, 351, 351, 343, 408, 396, 386,
      398, 432, 480, 476, 453, 448, 507, 438, 413, 423, 418, 465, 311, 329, 316, 333, 355, 319, 360, 334, 375, 330, 249, 221, 249,
      265, 280, 256, 254, 242, 260, 246, 225, 37,
    ],
    burst: undefined,
    prompt: [2, 29, 181, 207, 387, 403, 703, 1020, 1071, 1130, 1315, 2735, 4083, 4142, 14_050],
    output: [7, 16, 41, 54, 77, 91, 103, 129, 177, 384, 400, 424, 451, 601, 1_000],
  },
};

/** The same in every run. */
export function syntheticTrace(name: TraceName): readonly TraceRequest[] {
  const { minutes, burst, prompt, output } = statistics[name];
  const random = randomNumbers(20_231_116);
  const requests: TraceRequest[] = [];
  for (const [minute, count] of minutes.entries()) {
    let secondMs = 0;
    let left = 0;
    for (let index = 0; index < count; index += 1) {
      if (burst !== undefined && left-- <= 0) {
        // Bursts of exponential size, in seconds drawn at random: most seconds stay empty.
        left = Math.round(-Math.log(1 - random()) * burst);
        secondMs = Math.floor(random() * 60) * 1_000;
      }
      const inMinuteMs = burst === undefined ? random() * 60_000 : secondMs + random() * 1_000;
      requests.push({
        atMs: Math.floor(minute * 60_000 + inMinuteMs),
        promptTokens: drawn(prompt, random()),
        outputTokens: drawn(output, random()),
      });
    }
  }
  return requests.toSorted((one, other) => one.atMs - other.atMs);
}

/** Between two of the known shares, in proportion. */
function drawn(quantiles: readonly number[], share: number): number {
  const above = Math.max(
    1,
    shares.findIndex((known) => known >= share),
  );
  const [low = 0, high = 0] = [quantiles[above - 1], quantiles[above]];
  const [from = 0, to = 1] = [shares[above - 1], shares[above]];
  return Math.round(low + ((high - low) * (share - from)) / (to - from));
}
