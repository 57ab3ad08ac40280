import type { ChildProcess } from "node:child_process";
import type { Children } from "../children.ts";
import type { Answered, Command, ResultOf } from "./commands.ts";

/** Longer than any load takes: every one of them is bounded, and this ends a run whose generator hangs. */
const patienceMs = 180_000;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The load process, seen from the run. */
export class Generator {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  constructor(children: Children) {
    this.#child = children.fork(new URL("process.ts", import.meta.url), [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    this.#child.on("message", (answered: Answered) => {
      const waiting = this.#waiting.get(answered.id);
      this.#waiting.delete(answered.id);
      if ("error" in answered) waiting?.reject(new Error(answered.error));
      else waiting?.resolve(answered.result);
    });
    this.#child.once("exit", () => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error("the load process ended"));
    });
  }

  async run<Given extends Command>(command: Given): Promise<ResultOf<Given["kind"]>> {
    const id = ++this.#lastId;
    const answered = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const late = setTimeout(
      () => this.#waiting.get(id)?.reject(new Error(`the load generator did not finish "${command.kind}"`)),
      patienceMs,
    );
    this.#child.send({ id, command });
    try {
      return (await answered) as ResultOf<Given["kind"]>;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(id);
    }
  }
}
