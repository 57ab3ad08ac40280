import type { Fault } from "../../../src/simulator/faults.ts";
import type { SeenRequest } from "../../../src/simulator/simulated-region.ts";
import type { RegionStats } from "../../../src/simulator/stats.ts";

export interface GatewaySettings {
  /** `STRAIT_…` and `OTEL_…` variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /**
   * Starts the gateway as in production, without demonstration mode: each region's credential is this, by the variable
   * that its file names, and the simulated upstreams take no other.
   */
  readonly credential?: string;
  /** Files of the regions folder's `bundles/`, by name without its ending. */
  readonly bundles?: Readonly<Record<string, string>>;
  /** A folder of the test's for the stores, which outlasts the gateway. */
  readonly dataDir?: string;
}

/** A gateway in a process of its own, and the simulated upstreams behind it, which are in the test's. */
export interface GatewayUnderTest {
  readonly url: string;
  readonly operatorKey: string;
  /** Where it keeps its stores. */
  readonly dataDir: string;
  /** Replaces the faults of a region; an empty list takes them away. */
  faults(regionId: string, faults: readonly Fault[]): void;
  /** What each region has served so far, by region id. */
  stats(): Readonly<Record<string, RegionStats>>;
  /** Every request that reached an upstream, oldest first. */
  readonly seen: readonly SeenRequest[];
  /** All that it has printed so far. */
  output(): string;
  stop(): Promise<void>;
}

export type StartGateway = (settings?: GatewaySettings) => Promise<GatewayUnderTest>;

/** The regions that were sent a request between two readings of the statistics, with how many. */
export function reached(
  before: ReturnType<GatewayUnderTest["stats"]>,
  after: ReturnType<GatewayUnderTest["stats"]>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(after)
      .map(([id, { requests }]) => [id, requests - (before[id]?.requests ?? 0)] as const)
      .filter(([, requests]) => requests > 0),
  );
}
