import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { describe } from "vitest";

const startMs = 10_000;

/** Debian's `valkey-server`, or its `redis-server` of version 7 or later. */
function findProgram(): string | undefined {
  const folders = ["/usr/bin", "/usr/local/bin"];
  for (const path of ["valkey-server", "redis-server"].flatMap((name) => folders.map((folder) => join(folder, name)))) {
    if (!existsSync(path)) continue;
    const version = /v=(\d+)\./.exec(execFileSync(path, ["--version"], { encoding: "utf8" }))?.[1];
    if (Number(version) >= 7) return path;
  }
  return undefined;
}

const program = findProgram();

export const isValkeyInstalled: boolean = program !== undefined;

/** A suite over a real server, which is skipped where there is none to start. */
export function describeOnValkey(name: string, body: () => void): void {
  const missing = program === undefined;
  describe.skipIf(missing)(`${name}${missing ? " (skipped: neither Valkey nor Redis 7 is installed)" : ""}`, () => {
    body();
  });
}

export interface ValkeyServerOptions {
  readonly cluster?: boolean;
  readonly password?: string;
  /** Told of each process of the server, the first and those after `kill`. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

/** What a test's stores are opened on: one server, or a cluster. */
export interface ValkeyUnderTest {
  readonly address: string;
  flush(): Promise<void>;
  set(key: string, value: string | number): Promise<void>;
  stop(): Promise<void>;
}

/** A server of a test's own, on a port of loopback, which keeps nothing on disk. */
export class ValkeyServer implements ValkeyUnderTest {
  readonly #folder: string;
  readonly #port: number;
  readonly #options: ValkeyServerOptions;
  #child: ChildProcess | undefined;
  #client: Redis | undefined;

  private constructor(folder: string, port: number, options: ValkeyServerOptions) {
    this.#folder = folder;
    this.#port = port;
    this.#options = options;
  }

  static async start(options: ValkeyServerOptions = {}): Promise<ValkeyServer> {
    const server = new ValkeyServer(
      mkdtempSync(join(tmpdir(), "strait-valkey-")),
      await freePort(options.cluster === true),
      options,
    );
    // A test run that is broken off must not leave a server behind.
    process.once("exit", () => server.#child?.kill("SIGKILL"));
    await server.resume();
    return server;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the server is stopped");
    return pid;
  }

  get port(): number {
    return this.#port;
  }

  get host(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get address(): string {
    const { password } = this.#options;
    return `redis://${password === undefined ? "" : `:${password}@`}${this.host}`;
  }

  /** One command on a connection of the test's own. */
  async command(name: string, ...args: (string | number)[]): Promise<unknown> {
    this.#client ??= this.#connect();
    return this.#client.call(name, ...args);
  }

  async flush(): Promise<void> {
    await this.command("FLUSHALL");
  }

  async set(key: string, value: string | number): Promise<void> {
    await this.command("SET", key, value);
  }

  /** Starts it again after `kill`: empty, on the same port. */
  async resume(): Promise<void> {
    if (program === undefined) throw new Error("neither Valkey nor Redis 7 is installed");
    const { cluster, password } = this.#options;
    const settings = {
      port: this.#port,
      bind: "127.0.0.1",
      dir: this.#folder,
      save: "",
      appendonly: "no",
      loglevel: "warning",
      ...(password === undefined ? {} : { requirepass: password }),
      ...(cluster === true ? { "cluster-enabled": "yes", "cluster-node-timeout": 2_000 } : {}),
    };
    const child = spawn(
      program,
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
      { stdio: "ignore" },
    );
    this.#child = child;
    this.#options.onSpawn?.(child);
    const giveUpMs = performance.now() + startMs;
    for (;;) {
      try {
        await this.command("PING");
        return;
      } catch (error) {
        this.#forget();
        if (child.exitCode !== null || performance.now() > giveUpMs) throw error;
        await delay(10);
      }
    }
  }

  /** As a crash of the machine does: nothing is left. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#forget();
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #connect(): Redis {
    const client = new Redis({
      host: "127.0.0.1",
      port: this.#port,
      ...(this.#options.password === undefined ? {} : { password: this.#options.password }),
      retryStrategy: () => null,
      lazyConnect: true,
    });
    client.on("error", () => undefined);
    return client;
  }

  #forget(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }
}

/** A cluster's nodes talk to each other on a port 10,000 above. */
async function freePort(cluster: boolean): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    if (!cluster || port < 55_000) return port;
  }
}
