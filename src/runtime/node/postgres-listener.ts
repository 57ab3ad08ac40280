import { Socket } from "node:net";
import { Client } from "pg";
import type { Cancel, Clock } from "../../clock.ts";
import type { Log } from "../../log.ts";
import { connectionConfig } from "./postgres-pool.ts";

const firstRetryMs = 100;
const longestRetryMs = 2_000;

export interface ListenerOptions {
  readonly url: string;
  readonly channel: string;
  /** For the log: what is heard on it. */
  readonly hears: string;
  /** How long after the last sign of life what was heard is still trusted. */
  readonly stalenessMs: number;
  readonly onMessage: (payload: string) => void;
}

/**
 * One connection that hears of changes made by others. Messages sent while it was down are gone, so `epoch` grows with
 * every connection: what was read before may have missed one. A connection may also be dead without telling, so it is
 * asked for a sign of life four times within the staleness, and counts from when it was asked, not from when it
 * answered: all that was committed before the question was told before the answer.
 */
export class PostgresListener {
  readonly #options: ListenerOptions;
  /** Monotonic: a wall clock that is set back would prolong the trust. */
  readonly #clock: Clock;
  readonly #log: Log;
  #epoch = 0;
  #aliveAtMs = Number.NEGATIVE_INFINITY;
  #retryMs = firstRetryMs;
  #socket: Socket | undefined;
  #cancelTimer: Cancel | undefined;
  #closed = false;

  constructor(options: ListenerOptions, clock: Clock, log: Log) {
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Whether nothing older than the staleness can have been missed within this epoch. */
  trusted(): boolean {
    return this.#clock.nowMs() - this.#aliveAtMs < this.#options.stalenessMs;
  }

  /** Resolves when the first attempt to listen has succeeded or failed; further ones follow by themselves. */
  async connect(): Promise<void> {
    if (this.#closed) return;
    const socket = new Socket();
    this.#socket = socket;
    const client = new Client({ ...connectionConfig(this.#options.url, "strait listen"), stream: () => socket });
    const onLost = (reason: string): void => this.#lose(socket, reason);
    client.on("error", (error) => onLost(error.message));
    client.on("end", () => onLost("the connection ended"));
    client.on("notification", ({ payload }) => this.#options.onMessage(payload ?? ""));
    try {
      await client.connect();
      const askedAtMs = this.#clock.nowMs();
      await client.query(`LISTEN ${client.escapeIdentifier(this.#options.channel)}`);
      if (this.#socket !== socket) return;
      this.#epoch++;
      this.#aliveAtMs = askedAtMs;
      this.#retryMs = firstRetryMs;
      if (this.#epoch > 1) this.#log.info(`${this.#options.hears} are heard again`);
      this.#beat(client, socket);
    } catch (error) {
      onLost(error instanceof Error ? error.message : String(error));
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #beat(client: Client, socket: Socket): void {
    this.#cancelTimer = this.#clock.after(this.#options.stalenessMs / 4, () => void this.#askForLife(client, socket));
  }

  async #askForLife(client: Client, socket: Socket): Promise<void> {
    const askedAtMs = this.#clock.nowMs();
    this.#cancelTimer = this.#clock.after(this.#options.stalenessMs / 2, () => this.#lose(socket, "no sign of life"));
    try {
      await client.query("SELECT 1");
    } catch (error) {
      return this.#lose(socket, error instanceof Error ? error.message : String(error));
    }
    if (this.#socket !== socket) return;
    this.#cancelTimer?.();
    this.#aliveAtMs = askedAtMs;
    this.#beat(client, socket);
  }

  /** A connection may be lost in several ways at once; the first one counts. */
  #lose(socket: Socket, reason: string): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#cancelTimer?.();
    socket.destroy();
    this.#log.warn(`${this.#options.hears} are not heard: the connection to PostgreSQL was lost`, {
      reason,
      retryMs: this.#retryMs,
    });
    this.#cancelTimer = this.#clock.after(this.#retryMs, () => void this.connect());
    this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2);
  }
}
