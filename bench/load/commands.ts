import type { Target } from "../proxy.ts";
import type { StreamOrder } from "../wire.ts";

/** What the load process can be told to do, each against a target it was shown before. */
export interface ClosedLoad {
  readonly kind: "closed";
  readonly target: string;
  readonly connections: number;
  readonly forMs: number;
  /** Requests after which to stop early. */
  readonly atMost: number;
}

export interface OpenLoad {
  readonly kind: "open";
  readonly target: string;
  readonly ratePerSecond: number;
  readonly forMs: number;
}

export interface StreamLoad {
  readonly kind: "streams";
  readonly target: string;
  readonly order: StreamOrder;
  readonly streams: number;
  /** Over how long the streams' beginnings are spread. */
  readonly spreadMs: number;
}

export interface FirstByteLoad {
  readonly kind: "firstBytes";
  readonly target: string;
  readonly order: StreamOrder;
  readonly streams: number;
}

export interface HoldLoad {
  readonly kind: "hold";
  readonly target: string;
  readonly streams: number;
}

export type Load = ClosedLoad | OpenLoad | StreamLoad | FirstByteLoad | HoldLoad;

export type Command =
  | Load
  /** Shown once, because the keys of 100,000 tenants are megabytes. */
  | { readonly kind: "target"; readonly name: string; readonly target: Target }
  /** Closes all connections to a target, held streams included. */
  | { readonly kind: "release"; readonly target: string };

interface Outcome {
  readonly completed: number;
  readonly failed: number;
  readonly firstFailure: string | undefined;
}

export interface LoopResult extends Outcome {
  readonly elapsedMs: number;
}

export interface LatencyResult extends Outcome {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface StreamResult extends Outcome {
  readonly events: number;
  /** How many pieces they arrived in: where it is far below `events`, something joined them. */
  readonly pieces: number;
}

/** `completed` counts the streams that are open. */
export type HoldResult = Outcome;

export type ResultOf<Kind extends Command["kind"]> = Kind extends "closed"
  ? LoopResult
  : Kind extends "open" | "firstBytes"
    ? LatencyResult
    : Kind extends "streams"
      ? StreamResult
      : Kind extends "hold"
        ? HoldResult
        : undefined;

/** Over the channel; `id` pairs answers with commands. */
export interface Sent {
  readonly id: number;
  readonly command: Command;
}

export type Answered = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };
