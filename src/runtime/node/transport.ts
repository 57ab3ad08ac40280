import type { Socket } from "node:net";
import { Client, Pool, type Dispatcher } from "undici";
import type { ConnectionRules } from "../../region/connection-rules.ts";
import { checkAddress, type Connection } from "../../upstream/check-address.ts";
import type { Transport, UpstreamCall, UpstreamListener, UpstreamRequest } from "../../upstream/transport.ts";
import {
  ConnectionRefused,
  connectUpstream,
  systemResolve,
  type ConnectSettings,
  type Endpoint,
  type Resolve,
} from "./connect-upstream.ts";

export interface NodeTransportSettings extends Omit<ConnectSettings, "resolve"> {
  /** Connections to one origin at the most; further requests wait for one. */
  readonly connections: number;
  /** By default the system's. */
  readonly resolve?: Resolve;
}

/** What is left of an unwanted answer is read away up to here; beyond it the connection costs less than the bytes. */
const discardBytes = 64 * 1024;
/** Nor may it take longer: no deadline of the core's looks after a call that nobody listens to. */
const discardMs = 1_000;

const cutOff = new Error("the gateway ended the call");

/**
 * Upstreams over undici's `dispatch`: no `fetch` (which costs three times a bare proxy's whole work), no Web streams.
 * Follows no redirect, and takes no proxy from the environment because a pool knows none. Every connection is checked
 * against what its region declares before a byte of a request is written.
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
      this.#pool(origin, request.connection).dispatch(
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

  /** A connection that was checked by one set of rules must not serve a request under another. */
  #pool(origin: string, rules: ConnectionRules | undefined): Pool {
    const key = `${origin} ${keyOf(rules)}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const settings = { resolve: systemResolve, ...this.#settings };
      pool = new Pool(origin, {
        connections: settings.connections,
        pipelining: 1,
        allowH2: false,
        keepAliveTimeout: 30_000,
        factory: (url, options: Client.Options) => new CheckedClient(url, options, new Line(url, rules, settings)),
      });
      this.#pools.set(key, pool);
    }
    return pool;
  }
}

const keys = new WeakMap<ConnectionRules, string>();

function keyOf(rules: ConnectionRules | undefined): string {
  if (rules === undefined) return "";
  let key = keys.get(rules);
  if (key === undefined) keys.set(rules, (key = JSON.stringify(rules)));
  return key;
}

type Connect = Extract<Client.Options["connect"], (...parameters: never[]) => unknown>;

/** One connection after another to one endpoint, and what the present one leads to. */
class Line {
  readonly #url: URL;
  readonly #rules: ConnectionRules | undefined;
  readonly #settings: ConnectSettings;
  #connection: Connection | undefined;

  constructor(url: URL, rules: ConnectionRules | undefined, settings: ConnectSettings) {
    this.#url = url;
    this.#rules = rules;
    this.#settings = settings;
  }

  readonly connect: Connect = ({ hostname, protocol, port }, callback) => {
    this.#connection = undefined;
    void this.#serve({ hostname, protocol, port }, callback);
  };

  async #serve(endpoint: Endpoint, callback: Parameters<Connect>[1]): Promise<void> {
    const opened = await this.#open(endpoint);
    if (opened instanceof Error) callback(opened, null);
    else callback(null, opened);
  }

  async #open(endpoint: Endpoint): Promise<Socket | Error> {
    try {
      const { socket, connection } = await connectUpstream(endpoint, this.#rules, this.#settings);
      this.#connection = connection;
      return socket;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Right before a request goes: a kept connection may outlive what was known when it was made. */
  connectionNow(): Connection | ConnectionRefused {
    const address = this.#connection?.address;
    if (address === undefined) return new ConnectionRefused(`nothing is known of the connection to ${this.#url.host}`);
    const decision = checkAddress(address, this.#rules, this.#settings.countryOf);
    return decision.ok ? decision.connection : new ConnectionRefused(decision.why);
  }
}

class CheckedClient extends Client {
  readonly #line: Line;

  constructor(url: URL, options: Client.Options, line: Line) {
    super(url, { ...options, connect: line.connect });
    this.#line = line;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (handler instanceof Call) handler.line = this.#line;
    return super.dispatch(options, handler);
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
  /** Over which the request will go. */
  line: Line | undefined;

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
    const connection = this.line?.connectionNow() ?? new ConnectionRefused("no connection was checked");
    if (connection instanceof ConnectionRefused) return controller.abort(connection);
    this.#controller = controller;
    this.#started = true;
    this.#listener.connected(connection);
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
    if (error instanceof ConnectionRefused) return this.#listener.fail({ phase: "refused", message: error.message });
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
