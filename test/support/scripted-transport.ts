import type { HeaderList } from "../../src/edge.ts";
import type {
  Transport,
  TransportFailure,
  UpstreamCall,
  UpstreamListener,
  UpstreamRequest,
} from "../../src/upstream/transport.ts";

const encoder = new TextEncoder();

export const eventStream: HeaderList = ["content-type", "text/event-stream"];
export const json: HeaderList = ["content-type", "application/json"];

/** One call upstream, of which a test plays the other end. Keeps the contract of `Transport`: silent once it was ended. */
export class ScriptedCall implements UpstreamCall {
  readonly request: UpstreamRequest;
  readonly #listener: UpstreamListener;
  paused = false;
  pauses = 0;
  resumes = 0;
  aborts = 0;
  discards = 0;
  over = false;

  constructor(request: UpstreamRequest, listener: UpstreamListener) {
    this.request = request;
    this.#listener = listener;
  }

  pause(): void {
    this.paused = true;
    this.pauses++;
  }

  resume(): void {
    this.paused = false;
    this.resumes++;
  }

  abort(): void {
    this.aborts++;
    this.over = true;
  }

  discard(): void {
    this.discards++;
    this.over = true;
  }

  connected(): this {
    if (!this.over) this.#listener.connected();
    return this;
  }

  head(status: number, headers: HeaderList): this {
    if (!this.over) this.#listener.head(status, headers);
    return this;
  }

  data(bytes: Uint8Array | string): this {
    if (!this.over) this.#listener.data(typeof bytes === "string" ? encoder.encode(bytes) : bytes);
    return this;
  }

  end(): this {
    if (this.over) return this;
    this.over = true;
    this.#listener.end();
    return this;
  }

  fail(phase: TransportFailure["phase"] = "response"): this {
    if (this.over) return this;
    this.over = true;
    this.#listener.fail({ phase, message: "ECONNRESET scripted" });
    return this;
  }

  /** A whole answer at once. */
  answer(status: number, headers: HeaderList, body: string): this {
    return this.connected().head(status, headers).data(body).end();
  }
}

/** Plays upstreams: each call is handed to `play`, after `send` has returned, as a real connection does. */
export class ScriptedTransport implements Transport {
  readonly calls: ScriptedCall[] = [];
  play: ((call: ScriptedCall, number: number) => void) | undefined;

  constructor(play?: (call: ScriptedCall, number: number) => void) {
    this.play = play;
  }

  get last(): ScriptedCall {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("nothing was sent upstream");
    return call;
  }

  send(request: UpstreamRequest, listener: UpstreamListener): UpstreamCall {
    const call = new ScriptedCall(request, listener);
    this.calls.push(call);
    const number = this.calls.length;
    queueMicrotask(() => this.play?.(call, number));
    return call;
  }
}
