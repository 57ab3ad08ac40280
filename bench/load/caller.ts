import { Pool } from "undici";
import type { Dispatcher } from "undici";
import type { Target } from "../proxy.ts";
import { requestBody } from "../wire.ts";
import type { StreamOrder } from "../wire.ts";

export interface CallWatcher {
  /** Each piece of a good answer as it arrives. */
  data?(bytes: Buffer): void;
  /** Exactly once. `failure` is undefined for a complete answer with status 200. */
  done(failure: string | undefined): void;
}

/** Sends one kind of request to one target over kept connections, at undici's lowest level: the generator must stay cheaper than what it measures. */
export class Caller {
  readonly #pool: Pool;
  readonly #target: Target;
  readonly #body: string;
  readonly #headers: readonly string[];
  #turn = 0;

  constructor(target: Target, connections: number, order: StreamOrder | undefined) {
    const patienceMs = order?.idle === true ? 0 : 15_000;
    this.#target = target;
    this.#body = requestBody(target.model, order);
    this.#headers = [
      ...target.headers,
      "content-type",
      "application/json",
      "accept",
      order === undefined ? "application/json" : "text/event-stream",
    ];
    this.#pool = new Pool(target.origin, {
      connections,
      pipelining: 1,
      headersTimeout: 15_000,
      bodyTimeout: patienceMs,
      keepAliveTimeout: 600_000,
    });
  }

  call(watcher: CallWatcher): void {
    const key = this.#target.keys[this.#turn++ % this.#target.keys.length] ?? "";
    const handler = new Answer(watcher);
    this.#pool.dispatch(
      {
        path: this.#target.path,
        method: "POST",
        headers: [...this.#headers, "authorization", `Bearer ${key}`],
        body: this.#body,
      },
      handler,
    );
  }

  /** Cuts whatever is still open. */
  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

class Answer implements Dispatcher.DispatchHandler {
  readonly #watcher: CallWatcher;
  #refusal: string | undefined;

  constructor(watcher: CallWatcher) {
    this.#watcher = watcher;
  }

  // undici takes a handler for one of its newer kind only if it has this.
  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status !== 200) this.#refusal = `${status} `;
  }

  onResponseData(_controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#refusal === undefined) this.#watcher.data?.(bytes);
    else if (this.#refusal.length < 300) this.#refusal += bytes.toString();
  }

  onResponseEnd(): void {
    this.#watcher.done(this.#refusal?.slice(0, 300));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#watcher.done(error.message);
  }
}
