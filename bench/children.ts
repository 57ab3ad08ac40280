import { fork, spawn } from "node:child_process";
import type { ChildProcess, ForkOptions, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const patienceMs = 3000;

/**
 * Every process and temporary file of a run, so that none outlives it. Processes are ended by their handle on a normal
 * exit, an error and a signal. When this process is gone, however it went, the watchdog sees its channel close, ends
 * whatever is left and removes the files.
 */
export class Children {
  readonly #living = new Set<ChildProcess>();
  readonly #directory: string;
  readonly #watchdog: ChildProcess;
  #directories = 0;

  /** `prefix` begins the name of the run's directory. */
  constructor(prefix: string = "strait-bench-") {
    this.#directory = mkdtempSync(join(tmpdir(), prefix));
    this.#watchdog = fork(fileURLToPath(new URL("watchdog.ts", import.meta.url)), [this.#directory], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    // A channel counts as work to do; without this the run would never end by itself.
    this.#watchdog.unref();
    this.#watchdog.channel?.unref();
    process.once("exit", () => this.#killAll());
    for (const [signal, code] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      process.once(signal, () => process.exit(code));
    }
  }

  /** An empty directory that goes with the run. */
  scratch(): string {
    const directory = join(this.#directory, String(++this.#directories));
    mkdirSync(directory);
    return directory;
  }

  spawn(command: string, commandArguments: readonly string[], options: SpawnOptions): ChildProcess {
    return this.own(spawn(command, commandArguments, options));
  }

  /** A Node process with a message channel, running `module`. */
  fork(module: URL, moduleArguments: readonly string[], options: ForkOptions): ChildProcess {
    return this.own(fork(fileURLToPath(module), moduleArguments, options));
  }

  async stop(child: ChildProcess): Promise<void> {
    if (!this.#living.has(child)) return;
    const gone = once(child, "exit");
    child.kill("SIGTERM");
    const patience = new AbortController();
    const impatient = delay(patienceMs, undefined, { signal: patience.signal }).then(
      () => child.kill("SIGKILL"),
      () => undefined,
    );
    await gone;
    patience.abort();
    await impatient;
  }

  /** Ends all in good order. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#living].map((child) => this.stop(child)));
  }

  /** Takes over a process that somebody else started. */
  own(child: ChildProcess): ChildProcess {
    const { pid } = child;
    // Without a pid it did not start; its "error" event tells whoever asked for it.
    if (pid === undefined) return child;
    this.#living.add(child);
    this.#watchdog.send({ watch: pid });
    child.once("exit", () => {
      this.#living.delete(child);
      if (this.#watchdog.connected) this.#watchdog.send({ forget: pid });
    });
    return child;
  }

  /** The directory is left to the watchdog: processes that are dying may still write into it. */
  #killAll(): void {
    for (const child of this.#living) child.kill("SIGKILL");
  }
}
