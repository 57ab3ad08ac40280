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
  /** Started for the memory measure: a Node process collects its garbage on SIGUSR2. */
  readonly collectable: boolean;
}

export interface Proxy {
  readonly name: string;
  /** Whether SIGUSR2 may be sent to a process that was started collectable; it kills others. */
  readonly runsOnNode: boolean;
  /** @throws {Unavailable} where this machine has no such proxy */
  start(context: StartContext): Promise<Running>;
}

/** A proxy that cannot be had here. The run goes on without it and shows the message. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/** What Node is told so that SIGUSR2 makes it collect. */
export function collectableArguments(collectable: boolean): readonly string[] {
  return collectable ? ["--expose-gc", "--import", new URL("collect-on-signal.ts", import.meta.url).href] : [];
}
