import type { Inbound, Outbound } from "./edge.ts";
import type { ExchangePorts, ModelCall } from "./exchange-ports.ts";
import type { Lifetime } from "./lifetime.ts";
import type { Reply } from "./reply.ts";
import type { ExchangeTrace } from "./trace.ts";

/** An exchange while it is under way: what each of its steps works with. */
export interface UnderWay {
  readonly call: ModelCall;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly ports: ExchangePorts;
  readonly reply: Reply;
  readonly trace: ExchangeTrace;
  readonly life: Lifetime;
}

/** For the operator's log: an error's own words, which hold no part of a request. */
export function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
