import type { HeaderList } from "../edge.ts";

export interface UpstreamRequest {
  readonly method: "GET" | "POST" | "DELETE";
  /** Scheme, host and port. */
  readonly origin: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array | undefined;
}

/** Told what happens, in order: one head, then data, then one of end and failure; or failure alone. */
export interface UpstreamListener {
  /** The connection stands and the request is being sent. */
  connected(): void;
  head(status: number, headers: HeaderList): void;
  data(bytes: Uint8Array): void;
  end(): void;
  fail(error: TransportFailure): void;
}

/** What became of the request when the connection failed decides whether it may be sent elsewhere. */
export interface TransportFailure {
  readonly phase: "connect" | "response";
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
