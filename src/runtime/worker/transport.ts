import type { HeaderList } from "../../edge.ts";
import type { Connection } from "../../upstream/check-address.ts";
import type { Transport, UpstreamCall, UpstreamListener, UpstreamRequest } from "../../upstream/transport.ts";

/** What is left of an unwanted answer is read away up to here; beyond it the connection costs less than the bytes. */
const discardBytes = 64 * 1024;

/** `fetch` shows no address, so none can be checked. The receipt says so. */
const notVisible: Connection = { address: undefined, check: "not-visible", country: undefined };

export type Fetch = (request: Request) => Promise<Response>;

/**
 * Upstreams over `fetch`. It follows no redirect. `fetch` does not tell when a connection stands, so a call counts as
 * connected from its beginning: the first-byte deadline covers connecting, and a failure is taken as one that may have
 * reached the upstream.
 */
export class WorkerTransport implements Transport {
  readonly #fetch: Fetch;

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  send(request: UpstreamRequest, listener: UpstreamListener): UpstreamCall {
    const call = new Call(listener);
    // Not before the caller has the call in its hands: what it is told may make it abort.
    queueMicrotask(() => void call.run(request, this.#fetch));
    return call;
  }
}

class Call implements UpstreamCall {
  readonly #listener: UpstreamListener;
  readonly #abort = new AbortController();
  #state: "open" | "discarding" | "over" = "open";
  #resumed: PromiseWithResolvers<void> | undefined;

  constructor(listener: UpstreamListener) {
    this.#listener = listener;
  }

  pause(): void {
    this.#resumed ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#resumed?.resolve();
    this.#resumed = undefined;
  }

  abort(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#abort.abort();
    this.resume();
  }

  discard(): void {
    if (this.#state !== "open") return;
    this.#state = "discarding";
    this.resume();
  }

  /** Reports one end or one failure, and nothing once the caller has turned away. Never rejects. */
  async run(request: UpstreamRequest, fetch: Fetch): Promise<void> {
    let phase: "connect" | "response" = "connect";
    try {
      if (this.#state !== "open") return;
      const outgoing = webRequest(request, this.#abort.signal);
      phase = "response";
      this.#listener.connected(notVisible);
      if (!this.#isOpen()) return;
      const response = await fetch(outgoing);
      if (this.#isOpen()) this.#listener.head(response.status, headerList(response.headers));
      await this.#read(response.body);
      if (!this.#isOpen()) return;
      this.#state = "over";
      this.#listener.end();
    } catch (error) {
      if (!this.#isOpen()) return;
      this.#state = "over";
      this.#listener.fail({ phase, message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
    }
  }

  async #read(body: ReadableStream<Uint8Array> | null): Promise<void> {
    if (body === null) return;
    const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
    let discarded = 0;
    for (;;) {
      if (this.#resumed !== undefined) await this.#resumed.promise;
      if (this.#state === "over" || discarded > discardBytes) return reader.cancel();
      const { done, value } = await reader.read();
      if (done) return;
      if (this.#isOpen()) this.#listener.data(value);
      else discarded += value.length;
    }
  }

  /** A call of its own, because the state changes behind the compiler's back while the listener runs. */
  #isOpen(): boolean {
    return this.#state === "open";
  }
}

function webRequest({ method, origin, path, headers, body }: UpstreamRequest, signal: AbortSignal): Request {
  const sent = new Headers();
  for (let index = 0; index + 1 < headers.length; index += 2) sent.append(headers[index] ?? "", headers[index + 1] ?? "");
  return new Request(`${origin}${path}`, { method, headers: sent, body: body ?? null, redirect: "manual", signal });
}

function headerList(headers: Headers): HeaderList {
  const list: string[] = [];
  for (const [name, value] of headers) list.push(name, value);
  return list;
}
