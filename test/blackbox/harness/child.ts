import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";

export const repository: string = join(import.meta.dirname, "../../..");

/** How long a process that was told to stop may take before it is made to. */
const stopMs = 8_000;

const started = new Set<Child>();
// A test run that dies must not leave gateways behind.
process.on("exit", () => {
  for (const child of started) child.signalGroup("SIGKILL");
});

export interface ChildOptions {
  readonly cwd?: string;
  /** All of the environment beside PATH and HOME: what the developer's shell has set must not decide a test. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A process of a test's own, in a process group of its own, with all that it printed. */
export class Child {
  readonly #process: ChildProcess;
  #output = "";
  #listeners: (() => void)[] = [];
  /** Resolves with the exit code, or `null` where a signal ended it. */
  readonly exited: Promise<number | null>;
  #over = false;

  constructor(command: string, args: readonly string[], { cwd = repository, environment = {} }: ChildOptions = {}) {
    const { PATH = "", HOME = "/tmp" } = process.env;
    this.#process = spawn(command, args, {
      cwd,
      env: { PATH, HOME, ...environment },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => {
        this.#output += text;
        this.#tell();
      });
    }
    started.add(this);
    this.exited = new Promise((resolve) => {
      const end = (code: number | null): void => {
        this.#over = true;
        started.delete(this);
        this.#tell();
        resolve(code);
      };
      this.#process.once("close", end);
      this.#process.once("error", (error) => {
        this.#output += String(error);
        end(-1);
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Standard output and standard error, as they came. */
  get output(): string {
    return this.#output;
  }

  /** Resolves once the output matches; rejects with the output where the process ends first or the time is up. */
  async waitFor(pattern: RegExp, withinMs: number): Promise<RegExpExecArray> {
    const untilMs = Date.now() + withinMs;
    for (;;) {
      const found = pattern.exec(this.#output);
      if (found !== null) return found;
      const leftMs = untilMs - Date.now();
      if (this.#over || leftMs <= 0)
        throw new Error(`${this.#over ? "it ended" : "time passed"} before ${pattern} was printed:\n${this.#output}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#listeners.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  signalGroup(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** Stops it and all that it started. */
  async stop(): Promise<void> {
    if (!this.#over) this.signalGroup("SIGTERM");
    const timer = setTimeout(() => this.signalGroup("SIGKILL"), stopMs);
    await this.exited;
    clearTimeout(timer);
    this.signalGroup("SIGKILL");
  }

  #tell(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}
