import type { HeaderList } from "../edge.ts";
import type { SimulatedBody } from "./paced-body.ts";

/**
 * A request and an answer without a runtime's objects: on Node a Web `Request` and `Response` cost more than the whole
 * simulation, and an upstream that is slower than what it tests measures itself.
 */
export interface SimulatedCall {
  readonly method: string;
  readonly path: string;
  /** Without `?`. */
  readonly query: string;
  header(name: string): string | undefined;
  text(): Promise<string>;
  /** Aborts when the client goes away. Asked for only where something waits, so an edge may make it then. */
  readonly signal: AbortSignal;
}

export interface SimulatedAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  /** Whole, or drawn piece by piece; the one who draws must `cancel` it if the client goes. */
  readonly body: Uint8Array | SimulatedBody;
}
