import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { describe } from "vitest";

const installations = "/usr/lib/postgresql";
const startMs = 20_000;

/** Where Debian's newest PostgreSQL of version 15 or later has its programs. */
function findPrograms(): string | undefined {
  if (!existsSync(installations)) return undefined;
  const versions = readdirSync(installations)
    .map(Number)
    .filter((version) => version >= 15)
    .sort((a, b) => b - a);
  return versions
    .map((version) => join(installations, String(version), "bin"))
    .find((folder) => existsSync(join(folder, "postgres")));
}

const programs = findPrograms();

export const isPostgresInstalled: boolean = programs !== undefined;

/** A suite over a real server, which is skipped where there is none to start. */
export function describeOnPostgres(name: string, body: () => void): void {
  const missing = programs === undefined;
  describe.skipIf(missing)(`${name}${missing ? " (skipped: PostgreSQL is not installed)" : ""}`, () => {
    body();
  });
}

/** PostgreSQL refuses to run as root, so that root runs it as another user. */
function owner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((one) => one.startsWith("postgres:"));
  const [, , uid, gid] = line?.split(":") ?? [];
  return { uid: Number(uid ?? 65_534), gid: Number(gid ?? 65_534) };
}

/** A server of a test's own, on a socket in a temporary folder: no port that somebody else may take while it is down. */
export class PostgresServer {
  readonly #folder: string;
  readonly #onSpawn: (child: ChildProcess) => void;
  #child: ChildProcess | undefined;
  #databases = 0;

  private constructor(folder: string, onSpawn: (child: ChildProcess) => void) {
    this.#folder = folder;
    this.#onSpawn = onSpawn;
  }

  /** @param onSpawn is told of each process of the server, the first and those after `halt`. */
  static async start(onSpawn: (child: ChildProcess) => void = () => undefined): Promise<PostgresServer> {
    if (programs === undefined) throw new Error("PostgreSQL is not installed");
    const user = owner();
    const folder = mkdtempSync(join(tmpdir(), "strait-postgres-"));
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    chmodSync(folder, 0o755);
    const data = join(folder, "data");
    const settings = ["--auth=trust", "--username=strait", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
    execFileSync(join(programs, "initdb"), ["-D", data, ...settings], { ...user, cwd: folder, stdio: "ignore" });
    const server = new PostgresServer(folder, onSpawn);
    // A test run that is broken off must not leave a server behind.
    process.once("exit", () => server.#child?.kill("SIGQUIT"));
    await server.resume();
    return server;
  }

  /** The process that all others of the server belong to. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the server is stopped");
    return pid;
  }

  address(database = "postgres"): string {
    return `postgres://strait@localhost/${database}?host=${encodeURIComponent(this.#folder)}`;
  }

  /** An empty database of its own. */
  async createDatabase(): Promise<string> {
    const name = `test_${++this.#databases}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.address(name);
  }

  /** Runs one statement on a connection of its own. */
  async query<Row extends Record<string, unknown>>(
    sql: string,
    values: readonly unknown[] = [],
    address: string = this.address(),
  ): Promise<Row[]> {
    const client = new Client({ connectionString: address, application_name: "test" });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  /** Starts it again after `halt`. */
  async resume(): Promise<void> {
    const settings = [
      "fsync=off",
      "listen_addresses=",
      `unix_socket_directories=${this.#folder}`,
      "max_connections=200",
      "shared_buffers=32MB",
    ];
    const options: SpawnOptions = { ...owner(), cwd: this.#folder, stdio: "ignore" };
    const child = spawn(
      join(programs ?? "", "postgres"),
      ["-D", join(this.#folder, "data"), ...settings.flatMap((one) => ["-c", one])],
      options,
    );
    this.#child = child;
    this.#onSpawn(child);
    const giveUpMs = performance.now() + startMs;
    for (;;) {
      try {
        await this.query("SELECT 1");
        return;
      } catch (error) {
        if (child.exitCode !== null || performance.now() > giveUpMs) throw error;
        await delay(20);
      }
    }
  }

  /** `fast` breaks off what is under way and ends in order; `immediate` is a crash, from which the next start recovers. */
  async halt(mode: "fast" | "immediate" = "fast"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, "exit");
    child.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    await exited;
  }

  async stop(): Promise<void> {
    await this.halt("immediate");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
