import type { Clock } from "./clock.ts";
import { headerValue, type HeaderList, type Outbound } from "./edge.ts";
import type { Dialect } from "./dialect/dialect.ts";
import type { Refusal } from "./refusal.ts";

/** What a client is sent, with what every answer carries. One head, whatever happens. */
export class Reply {
  readonly #outbound: Outbound;
  readonly #dialect: Dialect;
  readonly requestId: string;
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #startedAtMs: number;
  /** Headers that every answer from now on carries: limits, region. */
  readonly #common: string[];
  #status: number | undefined;
  refusal: Refusal | undefined;

  constructor(outbound: Outbound, dialect: Dialect, requestId: string, clock: Pick<Clock, "nowMs">) {
    this.#clock = clock;
    this.#startedAtMs = clock.nowMs();
    this.#outbound = outbound;
    this.#dialect = dialect;
    this.requestId = requestId;
    this.#common = [dialect.requestIdHeader, requestId];
    if (dialect.requestIdHeader !== "x-request-id") this.#common.push("x-request-id", requestId);
  }

  /** The status that was sent; `undefined` before. */
  get status(): number | undefined {
    return this.#status;
  }

  add(headers: HeaderList): void {
    this.#common.push(...headers);
  }

  head(status: number, headers: HeaderList): void {
    this.#status = status;
    const { processingHeader } = this.#dialect;
    if (processingHeader !== undefined) this.#common.push(processingHeader, String(this.#clock.nowMs() - this.#startedAtMs));
    this.#outbound.head(status, [...this.#common, ...headers]);
  }

  /** A refusal, or an error event where the head is long sent. */
  refuse(refusal: Refusal): void {
    this.refusal = refusal;
    if (this.#status !== undefined) return this.#outbound.cut();
    const answer = this.#dialect.error(refusal, this.requestId);
    this.whole(answer.status, answer.headers, answer.body);
  }

  /** The status with which a refusal would be sent. */
  statusOf(refusal: Refusal): number {
    return this.#dialect.error(refusal, this.requestId).status;
  }

  /** Nothing more goes to a client that has left. */
  abandon(): void {
    this.#outbound.cut();
  }

  /** A whole answer in one piece. */
  whole(status: number, headers: HeaderList, body: Uint8Array): void {
    this.head(status, [...headers, "content-length", String(body.length)]);
    this.#outbound.end(body);
  }

  /** The last pieces of an answer that was sent on as it came. */
  finish(pieces: readonly Uint8Array[]): void {
    for (let index = 0; index < pieces.length - 1; index++) this.#outbound.write(pieces[index] as Uint8Array);
    this.#outbound.end(pieces.at(-1));
  }

  /** What went wrong, as an event at the end of a stream. */
  errorEvent(refusal: Refusal, surface: string): Uint8Array {
    return this.#dialect.errorEvent(refusal, this.requestId, surface);
  }

  /** The last pieces of an answer that broke; those of a stream say so themselves. */
  finishBroken(pieces: readonly Uint8Array[], refusal: Refusal, stream: boolean): void {
    this.refusal = refusal;
    if (stream) return this.finish(pieces);
    // A document has no place for an error in its middle: breaking off is all that is left to say.
    for (const piece of pieces) this.#outbound.write(piece);
    this.#outbound.cut();
  }
}

/** By allow-list: an upstream's limits, ids and places are not the client's to see. */
export function answerHeaders(upstream: HeaderList, stream: boolean): HeaderList {
  const headers = ["content-type", headerValue(upstream, "content-type") ?? "application/json"];
  // Without these, a proxy between here and the client may gather a stream before it passes it on.
  if (stream) headers.push("cache-control", "no-cache", "x-accel-buffering", "no");
  return headers;
}
