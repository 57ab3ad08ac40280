import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { RevocationPath } from "./path.ts";
import type { Revocations } from "./revocations.ts";

/** Paths tell of orders by themselves; a path that was silent so long is asked, so that a lost message costs no more. */
const askEveryMs = 400;

/**
 * Attends to every path for as long as the process lives, each by a loop of its own, so that one that hangs keeps none
 * waiting. Resolves once each was tried, with what ends it all.
 */
export async function followPaths(revocations: Revocations, clock: Clock, log: Log): Promise<() => void> {
  const followers = revocations.paths.map((path) => new Follower(revocations, path, clock, log));
  revocations.onNews = () => {
    for (const follower of followers) follower.wake();
  };
  await Promise.all(followers.map((follower) => follower.first));
  return () => {
    for (const follower of followers) follower.stop();
  };
}

class Follower {
  /** Resolves when the path was attended to for the first time, well or not. */
  readonly first: Promise<void>;
  readonly #revocations: Revocations;
  readonly #path: RevocationPath;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #unwatch: () => void;
  #attending = false;
  #again = false;
  #lost = false;
  #stopped = false;
  #cancel: () => void = () => undefined;

  constructor(revocations: Revocations, path: RevocationPath, clock: Clock, log: Log) {
    this.#revocations = revocations;
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#unwatch = path.watch(() => this.wake());
    this.first = this.#attend();
  }

  wake(): void {
    // What is being read may be older than what woke us.
    if (this.#attending) this.#again = true;
    else void this.#attend();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#unwatch();
  }

  async #attend(): Promise<void> {
    if (this.#stopped) return;
    this.#cancel();
    this.#attending = true;
    try {
      do {
        this.#again = false;
        await this.#revocations.attend(this.#path);
      } while (this.#again);
      if (this.#lost) this.#log.info("revocations are heard again", { path: this.#path.name });
      this.#lost = false;
    } catch (error) {
      if (!this.#lost && !this.#stopped)
        this.#log.warn("revocations are not heard by one of their paths", { path: this.#path.name, error: String(error) });
      this.#lost = true;
    }
    this.#attending = false;
    if (!this.#stopped) this.#cancel = this.#clock.after(askEveryMs, () => void this.#attend());
  }
}
