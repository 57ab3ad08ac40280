import { Pool, type Dispatcher } from "undici";
import type { Transport, UpstreamCall, UpstreamListener, UpstreamRequest } from "../../upstream/transport.ts";

export interface NodeTransportSettings {
  /** Connections to one origin at the most; further requests wait for one. */
  readonly connections: number;
  readonly connectMs: number;
}

/** What is left of an unwanted answer is read away up to here; beyond it the connection costs less than the bytes. */
const discardBytes = 64 * 1024;
/** Nor may it take longer: no deadline of the core's looks after a call that nobody listens to. */
const discardMs = 1_000;

const cutOff = new Error("the gateway ended the call");

/**
 * Upstreams over undici's `dispatch`: no `fetch` (which costs three times a bare proxy's whole work), no Web streams.
 * Follows no redirect, and takes no proxy from the environment because a pool knows none.
 */
export class NodeTransport implements Transport {
  readonly #settings: NodeTransportSettings;
  readonly #pools = new Map<string, Pool>();

  constructor(settings: NodeTransportSettings) {
    this.#settings = settings;
  }

  send(request: UpstreamRequest, listener: UpstreamListener): UpstreamCall {
    const call = new Call(listener);
    const { method, path, headers, body, origin } = request;
    try {
      // Deadlines are the core's; undici's own would only be a second, different truth.
      this.#pool(origin).dispatch(
        { method, path, headers: headers as string[], body: body ?? null, headersTimeout: 0, bodyTimeout: 0 },
        call,
      );
    } catch (error) {
      queueMicrotask(() => call.refuse(error));
    }
    return call;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }

  #pool(origin: string): Pool {
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = new Pool(origin, {
        connections: this.#settings.connections,
        pipelining: 1,
        allowH2: false,
        connect: { timeout: this.#settings.connectMs },
        keepAliveTimeout: 30_000,
      });
      this.#pools.set(origin, pool);
    }
    return pool;
  }
}

class Call implements UpstreamCall, Dispatcher.DispatchHandler {
  readonly #listener: UpstreamListener;
  #controller: Dispatcher.DispatchController | undefined;
  #state: "open" | "discarding" | "over" = "open";
  #started = false;
  #paused = false;
  #discarded = 0;
  #discardTimer: NodeJS.Timeout | undefined;

  constructor(listener: UpstreamListener) {
    this.#listener = listener;
  }

  pause(): void {
    this.#paused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#controller?.resume();
  }

  abort(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#controller?.abort(cutOff);
  }

  discard(): void {
    if (this.#state !== "open") return;
    this.#state = "discarding";
    this.#discardTimer = setTimeout(() => this.abort(), discardMs).unref();
    if (this.#paused) this.resume();
  }

  refuse(error: unknown): void {
    this.#fail(error, "connect");
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Aborted while it waited for a connection: undici drops it before a byte is sent.
    if (this.#state === "over") return controller.abort(cutOff);
    this.#controller = controller;
    this.#started = true;
    this.#listener.connected();
  }

  onResponseStart(controller: Dispatcher.DispatchController, statusCode: number): void {
    if (statusCode < 200 || this.#state !== "open") return;
    this.#listener.head(statusCode, headerList(controller.rawHeaders));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state === "open") return this.#listener.data(chunk);
    this.#discarded += chunk.length;
    if (this.#state === "discarding" && this.#discarded > discardBytes) {
      this.#state = "over";
      controller.abort(cutOff);
    }
  }

  onResponseEnd(): void {
    clearTimeout(this.#discardTimer);
    if (this.#state !== "open") return;
    this.#state = "over";
    this.#listener.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#discardTimer);
    this.#fail(error, this.#started ? "response" : "connect");
  }

  #fail(error: unknown, phase: "connect" | "response"): void {
    if (this.#state !== "open") return;
    this.#state = "over";
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    this.#listener.fail({ phase, message: `${code} ${error instanceof Error ? error.message : String(error)}`.trim() });
  }
}

/** Raw headers, as undici has them, with names in lower case. */
function headerList(raw: Dispatcher.DispatchController["rawHeaders"]): string[] {
  if (!Array.isArray(raw)) return [];
  const list: string[] = [];
  for (let index = 0; index < raw.length; index += 2) list.push(text(raw[index]).toLowerCase(), text(raw[index + 1]));
  return list;
}

function text(value: Buffer | string | undefined): string {
  return typeof value === "string" ? value : (value?.toString("latin1") ?? "");
}
