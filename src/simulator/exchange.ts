import type { Wire } from "../region/catalogue.ts";
import type { UpstreamError } from "./errors.ts";
import type { JsonObject } from "./json.ts";
import type { ProfileDeployment, RegionProfile } from "./profile.ts";
import type { PromptCache } from "./prompt-cache.ts";
import type { ResponseStore } from "./response-store.ts";

/** What a surface is given to answer one request. */
export interface SimulatedExchange {
  readonly region: RegionProfile;
  readonly wire: Wire;
  readonly deployment: ProfileDeployment;
  /** The model that the answer names; a fault may make it another than the one asked for. */
  readonly servedModel: string;
  /** Where the answer says that it ran (Anthropic). */
  readonly inferenceGeo: string;
  readonly body: JsonObject;
  readonly stream: boolean;
  readonly nowSeconds: number;
  readonly answerTokens: number | undefined;
  readonly promptCache: PromptCache;
  readonly responses: ResponseStore;
  /** A fresh identifier: the prefix and random letters. */
  identifier(prefix: string): string;
}

/** One server-sent event, framed. */
export interface SimulatedEvent {
  readonly frame: string;
  /** Output tokens that it carries: the pace is kept by them. */
  readonly tokens: number;
  /** The event without which the stream is truncated. */
  readonly terminal: boolean;
}

/** A surface's answer in all the forms in which it may have to be given. */
export interface Reply {
  readonly inputTokens: number;
  readonly outputTokens: number;
  json(): JsonObject;
  /** Made lazily, so that a long slow stream holds no memory for what is not sent yet. */
  events(): Iterable<SimulatedEvent>;
  /** What is sent where the answer breaks off in the middle. */
  failure(error: StreamError): SimulatedEvent;
  /** A whole stream that refuses although its status is 200. */
  refusal(error: StreamError): Iterable<SimulatedEvent>;
}

export interface StreamError {
  readonly type: string;
  readonly code: string;
  readonly message: string;
}

export type Surface = (exchange: SimulatedExchange) => Reply | UpstreamError;

export function isError(reply: Reply | UpstreamError): reply is UpstreamError {
  return "status" in reply;
}
