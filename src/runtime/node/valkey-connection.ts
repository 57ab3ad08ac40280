import type { Socket } from "node:net";
import { Cluster, Redis, type ClusterOptions } from "ioredis";
import type { Log } from "../../log.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import { authentication, describeAddress, lookup, type ValkeyAddress } from "./valkey-address.ts";
import type { ValkeyFunction, ValkeyLibrary } from "./valkey-library.ts";
import { baseOf, type ValkeyReply } from "./valkey-wire.ts";
import { within } from "./within.ts";

export interface ValkeyConnectionSettings {
  /** How long a call may take in all; then whoever asked is refused. */
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
}

export interface ValkeyAnswer {
  readonly reply: ValkeyReply;
  /** The call was made a second time, and may have taken effect the first. */
  readonly repeated: boolean;
}

/** The call was sent and may have taken effect, or yet will. */
export class Unanswered extends StoreUnavailable {}

/**
 * Calls the library's functions, on one server or a cluster. Each call that is sent is sent at most twice: a connection
 * that broke is not an outage where a new one stands within the time that the call has.
 */
export class ValkeyConnection {
  readonly #client: Redis | Cluster;
  readonly #library: ValkeyLibrary;
  readonly #timeoutMs: number;
  readonly #place: string;
  readonly #log: Log;
  readonly #waiting = new Set<(ready: boolean) => void>();
  #loading: Promise<void> | undefined;
  #corked: Socket | undefined;
  #lostAtMs: number | undefined = performance.now();
  #closed = false;
  #lastError = "it did not answer";

  constructor(address: ValkeyAddress, library: ValkeyLibrary, settings: ValkeyConnectionSettings, log: Log) {
    this.#library = library;
    this.#timeoutMs = settings.commandTimeoutMs;
    this.#place = describeAddress(address);
    this.#log = log;
    this.#client = connectValkey(address, settings);
    this.#client.on("error", (error: Error) => (this.#lastError = error.message));
    this.#client.on("close", () => this.#lost());
    this.#client.on("ready", () => this.#found());
  }

  /** Calls back whenever a server can be reached that could not be a moment ago; what it held may be gone. */
  onBack(callback: () => void): void {
    this.#client.on("ready", callback);
    if (this.#client instanceof Cluster) this.#client.on("+node", callback);
  }

  /** @throws {StoreUnavailable} where no server answers within `waitMs`. */
  async start(waitMs: number): Promise<void> {
    if (!(await this.#ready(waitMs))) throw this.#away();
    await this.#load();
  }

  /** @throws {Unanswered | StoreUnavailable} */
  async call(name: ValkeyFunction, bucket: number, args: readonly string[]): Promise<ValkeyAnswer> {
    const giveUpMs = performance.now() + this.#timeoutMs;
    let sent = false;
    for (;;) {
      if (this.#client.status !== "ready" && !(await this.#ready(this.#patience(giveUpMs))))
        throw sent ? this.#unanswered() : this.#away();
      try {
        return { reply: await this.#send(name, bucket, args, giveUpMs), repeated: sent };
      } catch (error) {
        if (error instanceof StoreUnavailable) throw error;
        const { message } = error as Error;
        if (/function not found/i.test(message)) {
          // The server was restarted without its data, or the slot moved to one that is new.
          await this.#load();
        } else if (sent || !isBroken(message)) {
          throw isBroken(message) ? this.#unanswered() : new StoreUnavailable(`Valkey failed: ${message}`, { cause: error });
        } else {
          sent = true;
        }
        if (performance.now() >= giveUpMs) throw this.#unanswered();
      }
    }
  }

  /** What the server tells of itself, of one section; of the first that answers in a cluster. */
  async info(section: string): Promise<string> {
    return String(await this.#masters()[0]?.call("INFO", section));
  }

  close(): void {
    this.#closed = true;
    this.#client.disconnect();
    for (const done of this.#waiting) done(false);
  }

  async #send(name: ValkeyFunction, bucket: number, args: readonly string[], giveUpMs: number): Promise<ValkeyReply> {
    this.#cork();
    const answered = this.#client.fcall(`${this.#library.name}_${name}`, 1, baseOf(bucket), ...args);
    return (await within(answered, giveUpMs - performance.now(), () => this.#unanswered())) as ValkeyReply;
  }

  /** All that is asked for in one turn of the event loop leaves in one piece: a write to a socket costs more than a command. */
  #cork(): void {
    if (this.#corked !== undefined || this.#client instanceof Cluster) return;
    const socket = this.#client.stream;
    this.#corked = socket;
    socket.cork();
    setImmediate(() => {
      this.#corked = undefined;
      socket.uncork();
    });
  }

  /** On every server that takes writes, since any of them may be asked. */
  #load(): Promise<void> {
    this.#loading ??= Promise.all(this.#masters().map((server) => this.#loadInto(server)))
      .then(() => undefined)
      .finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #loadInto(server: Redis): Promise<void> {
    try {
      await within(server.call("FUNCTION", "LOAD", this.#library.text), this.#timeoutMs, () => this.#unanswered());
    } catch (error) {
      const { message } = error as Error;
      if (/already exists/i.test(message)) return;
      const hint = /unknown command/i.test(message) ? " Valkey, or Redis 7 or later, is needed." : "";
      throw new StoreUnavailable(`Valkey did not take the library of functions: ${message}.${hint}`, { cause: error });
    }
  }

  #masters(): Redis[] {
    return this.#client instanceof Cluster ? this.#client.nodes("master") : [this.#client];
  }

  /** Whoever comes in the first moments of an outage waits whether it is one; all others are refused at once. */
  #patience(giveUpMs: number): number {
    const lostMs = this.#lostAtMs ?? performance.now();
    return Math.min(giveUpMs, lostMs + this.#timeoutMs) - performance.now();
  }

  #ready(waitMs: number): Promise<boolean> {
    if (this.#client.status === "ready") return Promise.resolve(true);
    if (this.#closed || waitMs <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const done = (ready: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve(ready);
      };
      const timer = setTimeout(() => done(false), waitMs);
      this.#waiting.add(done);
    });
  }

  #lost(): void {
    if (this.#lostAtMs !== undefined || this.#closed) return;
    this.#lostAtMs = performance.now();
    this.#log.warn("the connection to Valkey was lost", { at: this.#place, error: this.#lastError });
  }

  #found(): void {
    if (this.#lostAtMs !== undefined) this.#log.info("Valkey is connected", { at: this.#place });
    this.#lostAtMs = undefined;
    for (const done of this.#waiting) done(true);
  }

  #away(): StoreUnavailable {
    return new StoreUnavailable(
      this.#closed ? "The connection to Valkey is closed." : `Valkey at ${this.#place} cannot be reached: ${this.#lastError}.`,
    );
  }

  #unanswered(): Unanswered {
    return new Unanswered(`Valkey at ${this.#place} did not answer in time.`);
  }
}

/** What becomes of commands when a server goes away is decided here, not by the client's queues, which know no deadline. */
export function connectValkey(
  address: ValkeyAddress,
  { commandTimeoutMs, connectTimeoutMs }: ValkeyConnectionSettings,
): Redis | Cluster {
  const options = {
    ...authentication(address),
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    // A server that says nothing gets no more commands: the queue of those that wait for it ends with the connection.
    socketTimeout: 2 * commandTimeoutMs,
    keepAlive: 10_000,
    connectionName: "strait",
    // A replica that was a master until a moment ago.
    reconnectOnError: (error: Error) => error.message.startsWith("READONLY"),
  } satisfies ClusterOptions["redisOptions"];
  if (address.cluster) {
    return new Cluster([...address.nodes], {
      redisOptions: options,
      ...lookup(address),
      enableOfflineQueue: false,
      clusterRetryStrategy: backoffMs,
      clusterNodeRetryStrategy: backoffMs,
      slotsRefreshTimeout: connectTimeoutMs,
    });
  }
  const [node] = address.nodes;
  return new Redis({ ...options, ...node, enableOfflineQueue: false, db: address.database, retryStrategy: backoffMs });
}

function backoffMs(attempt: number): number {
  return Math.min(1_000, 25 * 2 ** Math.min(attempt, 6)) * (0.75 + Math.random() / 2);
}

/** Whether the connection went before an answer came. */
function isBroken(message: string): boolean {
  return /connection is closed|stream isn't writeable|max retries per request|socket timeout|ECONN|EPIPE/i.test(message);
}
