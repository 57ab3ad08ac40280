import type { HeaderList } from "../edge.ts";
import type { ConnectionRules } from "../region/connection-rules.ts";
import type { Connection } from "./check-address.ts";

export interface UpstreamRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Scheme, host and port. */
  readonly origin: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array | undefined;
  /** What the region declares of its connection; without it none can be right. */
  readonly connection?: ConnectionRules | undefined;
}

/** Told what happens, in order: one head, then data, then one of end and failure; or failure alone. */
export interface UpstreamListener {
  /** The connection stands, to where it may, and the request is being sent. */
  connected(connection?: Connection): void;
  head(status: number, headers: HeaderList): void;
  data(bytes: Uint8Array): void;
  end(): void;
  fail(error: TransportFailure): void;
}

/**
 * What became of the request when the connection failed decides whether it may be sent elsewhere. `refused`: where the
 * connection led is not where the region is declared to be, so nothing was sent.
 */
export interface TransportFailure {
  readonly phase: "connect" | "refused" | "response";
  /** For the operator; never shown to a client. */
  readonly message: string;
}

export interface UpstreamCall {
  /** Stops the flow of data until `resume`, so that a slow client slows the upstream. */
  pause(): void;
  resume(): void;
  /** Ends the call now, its connection with it; the listener hears nothing after this. */
  abort(): void;
  /** Hears nothing more, but reads a small rest away, so that the connection can serve the next call. */
  discard(): void;
}

/** The only way out of the gateway. Follows no redirect and takes no proxy from the environment. */
export interface Transport {
  send(request: UpstreamRequest, listener: UpstreamListener): UpstreamCall;
}
