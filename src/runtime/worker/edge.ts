/** A Web request as the core takes it, and the core's answer as a Web response. */
import type { BodyRead, HeaderList, Inbound, Outbound } from "../../edge.ts";
import { concat } from "../../bytes.ts";

/** Once a body was found too large, what the client still sends is thrown away for so long before it is told why. */
const partingMs = 2_000;

/** What may wait for a slow client before the upstream is slowed down. */
const bufferBytes = 64 * 1024;

export interface Edge {
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  /** Resolves with the answer's head; its body goes on as it is written. */
  readonly response: Promise<Response>;
}

export function createEdge(request: Request): Edge {
  const hangUp = new HangUp();
  // With `enable_request_signal`: fires while the client still waits for a head, when no stream could be cancelled yet.
  // On Cloudflare's network; a workerd on one's own machine notices only once the answer is being sent.
  request.signal.addEventListener("abort", () => hangUp.fire(), { once: true });
  if (request.signal.aborted) hangUp.fire();
  const outbound = new WorkerOutbound(hangUp);
  return { inbound: new WorkerInbound(request, hangUp), outbound, response: outbound.response };
}

/** Two places tell of one hang-up, and one of them also fires after an answer that went well: whoever is first counts, once. */
class HangUp {
  #state: "open" | "fired" | "over" = "open";
  #callback: (() => void) | undefined;

  fire(): void {
    if (this.#state !== "open") return;
    this.#state = "fired";
    this.#callback?.();
  }

  /** The answer has ended: whatever the client does now is no hang-up. */
  over(): void {
    if (this.#state === "open") this.#state = "over";
  }

  listen(callback: () => void): void {
    this.#callback = callback;
    if (this.#state === "fired") callback();
  }
}

class WorkerInbound implements Inbound {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly #request: Request;
  readonly #hangUp: HangUp;

  constructor(request: Request, hangUp: HangUp) {
    const { pathname, search } = new URL(request.url);
    this.method = request.method;
    this.path = pathname;
    this.query = search.slice(1);
    this.#request = request;
    this.#hangUp = hangUp;
  }

  header(name: string): string | undefined {
    return this.#request.headers.get(name) ?? undefined;
  }

  async body(limitBytes: number): Promise<BodyRead> {
    const { body } = this.#request;
    if (body === null) return { ok: true, bytes: new Uint8Array(0) };
    // Left alone: workerd itself reads an untouched body away, and the client gets its answer.
    if (Number(this.header("content-length") ?? 0) > limitBytes) return { ok: false, reason: "too_large" };
    const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
    const pieces: Uint8Array[] = [];
    let length = 0;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return { ok: true, bytes: concat(pieces) };
        length += value.length;
        if (length > limitBytes) {
          pieces.length = 0;
          await part(reader);
          return { ok: false, reason: "too_large" };
        }
        pieces.push(value);
      }
    } catch {
      return { ok: false, reason: "cut_off" };
    }
  }

  onHangUp(callback: () => void): void {
    this.#hangUp.listen(callback);
  }
}

/**
 * Reads away what a client still sends. Before the answer and not after it: workerd reads no body once its answer is
 * out, and breaks the connection off instead, which took the answer with it for most clients that had more to send.
 */
async function part(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), partingMs);
  try {
    while (!(await reader.read()).done);
  } catch {
    // It went away by itself.
  } finally {
    clearTimeout(timer);
  }
}

interface Head {
  readonly status: number;
  readonly headers: Headers;
}

class WorkerOutbound implements Outbound {
  readonly response: Promise<Response>;
  readonly #hangUp: HangUp;
  readonly #answer: (response: Response) => void;
  readonly #reject: (error: Error) => void;
  #head: Head | undefined;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #onDrain: (() => void) | undefined;
  #blocked = false;
  #ended = false;

  constructor(hangUp: HangUp) {
    this.#hangUp = hangUp;
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#answer = resolve;
    this.#reject = reject;
  }

  head(status: number, headers: HeaderList): void {
    const shown = new Headers();
    for (let index = 0; index + 1 < headers.length; index += 2) shown.append(headers[index] ?? "", headers[index + 1] ?? "");
    this.#head = { status, headers: shown };
    // A whole answer ends in this same turn and needs no stream; a head that waits for its first piece goes out after it.
    queueMicrotask(() => {
      if (!this.#ended) this.#open();
    });
  }

  write(bytes: Uint8Array): boolean {
    const controller = this.#open();
    if (controller === undefined || this.#ended) return true;
    controller.enqueue(bytes);
    this.#blocked = (controller.desiredSize ?? 0) <= 0;
    return !this.#blocked;
  }

  onDrain(callback: () => void): void {
    this.#onDrain = callback;
  }

  end(last?: Uint8Array): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#hangUp.over();
    if (this.#controller === undefined) return this.#whole(last);
    if (last !== undefined) this.#controller.enqueue(last);
    this.#controller.close();
  }

  cut(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#hangUp.over();
    const error = new Error("the answer was cut off");
    if (this.#controller === undefined) this.#reject(error);
    else this.#controller.error(error);
  }

  #whole(body: Uint8Array | undefined): void {
    if (this.#head === undefined) return this.#reject(new Error("an answer ended that had no head"));
    const bodiless = this.#head.status === 204 || this.#head.status === 304;
    this.#answer(new Response(bodiless ? null : (body ?? null), this.#head));
  }

  #open(): ReadableStreamDefaultController<Uint8Array> | undefined {
    if (this.#controller !== undefined || this.#head === undefined || this.#ended) return this.#controller;
    const stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => this.#drained(),
        cancel: () => this.#left(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: bufferBytes }),
    );
    this.#answer(new Response(stream, this.#head));
    return this.#controller;
  }

  #drained(): void {
    if (!this.#blocked) return;
    this.#blocked = false;
    this.#onDrain?.();
  }

  /** The client went away: nothing can be written any more, and nothing need be. */
  #left(): void {
    this.#ended = true;
    this.#hangUp.fire();
  }
}
