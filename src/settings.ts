import type { BodyBounds, Deadlines } from "./upstream/attempt.ts";

/** What an operator may set for the data path; every runtime fills it from its own configuration. */
export interface Settings {
  readonly bodyLimitBytes: number;
  readonly deadlines: Deadlines;
  readonly bounds: BodyBounds;
  /** The most attempts for one request. */
  readonly attempts: number;
  /** The longest that an upstream's `retry-after` is waited for when no other deployment is left. */
  readonly longestWaitMs: number;
  readonly keepAliveMs: number;
  /** Once a stream said that it is complete, how long its connection may take to end. */
  readonly lingerMs: number;
  /**
   * How long an answer goes on whose client has left, so that what it used is learned from its end and not guessed; 0 stops
   * the upstream at once.
   */
  readonly hangUpDrainMs: number;
  /** How long a reservation outlives a gateway that died; renewed while the exchange lives. */
  readonly leaseMs: number;
  /** How long after the last word of revocations requests are admitted, where others may give orders. */
  readonly revocationStalenessMs: number;
  /** Where the gateway itself processes: a fact of its own, apart from where inference runs. */
  readonly gatewayPlace: string;
}

export const defaultSettings: Settings = {
  bodyLimitBytes: 32 * 1024 * 1024,
  deadlines: { connectMs: 5_000, firstByteMs: 120_000, idleMs: 120_000, totalMs: 600_000, holdMs: 2_000 },
  bounds: { holdBytes: 256 * 1024, maxEventBytes: 1024 * 1024 },
  attempts: 3,
  longestWaitMs: 2_000,
  keepAliveMs: 15_000,
  lingerMs: 1_000,
  hangUpDrainMs: 500,
  leaseMs: 60_000,
  revocationStalenessMs: 10_000,
  gatewayPlace: "unspecified",
};
