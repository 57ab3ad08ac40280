import type { Children } from "./children.ts";

/** Where and how the load generator calls one proxy (or the upstream itself). */
export interface Target {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly path: string;
  /** Lower-case names and values in turn, without `authorization` and `content-type`. */
  readonly headers: readonly string[];
  /** Sent as Bearer, one after the other. At least one. */
  readonly keys: readonly string[];
  /** What the requests ask for. */
  readonly model: string;
}

/** A proxy that answers. */
export interface Running {
  /** The one process whose CPU time and memory are the proxy's. */
  readonly pid: number;
  readonly target: Target;
  stop(): Promise<void>;
}

export interface StartContext {
  readonly upstreamOrigin: string;
  readonly children: Children;
  /** An empty directory of this start's own, removed with the run. */
  readonly scratch: string;
  /** What a proxy that runs on Node is started with: nothing, or what a measure needs. */
  readonly nodeArguments: readonly string[];
}

export interface Proxy {
  readonly name: string;
  /** Whether it takes `nodeArguments`. */
  readonly runsOnNode: boolean;
  /** @throws {Unavailable} where this machine has no such proxy */
  start(context: StartContext): Promise<Running>;
}

/** A proxy that cannot be had here. The run goes on without it and shows the message. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/** Makes a Node process collect its garbage on SIGUSR2, which ends any other process. */
export const collectable: readonly string[] = ["--expose-gc", "--import", new URL("collect-on-signal.ts", import.meta.url).href];
