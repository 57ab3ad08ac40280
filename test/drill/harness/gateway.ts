import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Children } from "../../../bench/children.ts";
import { freePort, outputTail } from "../../../bench/start.ts";
import { Operator } from "../../blackbox/harness/operator.ts";

const main = join(import.meta.dirname, "../../../src/runtime/node/main.ts");
const startMs = 25_000;

const operatorKey = "sk-operator-of-the-drills-on-loopback";

/** The gateway as production runs it, in processes of its own that can be killed and started again on what they left. */
export class Gateway {
  readonly #children: Children;
  readonly #variables: Readonly<Record<string, string>>;
  #child: ChildProcess | undefined;
  #tail: () => string = () => "";
  #url = "";

  private constructor(children: Children, variables: Readonly<Record<string, string>>) {
    this.#children = children;
    this.#variables = variables;
  }

  static async start(children: Children, variables: Readonly<Record<string, string>>): Promise<Gateway> {
    // A port of its own: processes that are replaced must find it again.
    const gateway = new Gateway(children, { PORT: String(await freePort()), ...variables });
    await gateway.#start();
    return gateway;
  }

  get url(): string {
    return this.#url;
  }

  /** The last that it printed. */
  get tail(): string {
    return this.#tail();
  }

  get operator(): Operator {
    return new Operator({ url: this.#url, operatorKey });
  }

  /** `kill -9` of the whole gateway, which is started again on what it left. */
  async killAndRestart(): Promise<void> {
    const child = this.#running();
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
    await this.#start();
  }

  /** `kill -9` of one of its processes, which it replaces by itself; false where fewer than `atLeast` of them run. */
  killOneProcess(atLeast: number, pick: (count: number) => number): boolean {
    const { pid = 0 } = this.#running();
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    const processes = text === "" ? [] : text.split(" ").map(Number);
    const picked = processes[pick(processes.length)];
    if (picked === undefined || processes.length < atLeast) return false;
    process.kill(picked, "SIGKILL");
    return true;
  }

  async stop(): Promise<void> {
    await this.#children.stop(this.#running());
  }

  #running(): ChildProcess {
    if (this.#child === undefined) throw new Error("the gateway was never started");
    return this.#child;
  }

  async #start(): Promise<void> {
    const { PATH = "", HOME = "/tmp" } = process.env;
    const child = this.#children.spawn(process.execPath, [main], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH, HOME, STRAIT_OPERATOR_KEY: operatorKey, ...this.#variables },
    });
    this.#child = child;
    this.#tail = outputTail(child);
    this.#url = await listening(child, this.#tail);
  }
}

function listening(child: ChildProcess, tail: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`a gateway did not listen in time: ${tail()}`)), startMs);
    child.stdout?.on("data", () => {
      const [, url] = /Strait is listening on (http:\S+)/.exec(tail()) ?? [];
      if (url === undefined) return;
      clearTimeout(late);
      resolve(url);
    });
    child.once("close", (code) => {
      clearTimeout(late);
      reject(new Error(`a gateway ended with ${code}: ${tail()}`));
    });
  });
}
