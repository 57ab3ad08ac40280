import type { Cancel, Clock } from "../../clock.ts";
import type { Decision } from "../../decision.ts";
import type { Log } from "../../log.ts";
import type { OpenExchange } from "../../open-exchange.ts";
import type { Permit } from "../../policy/permit.ts";
import type { RevocationGate } from "../../revocation/gate.ts";
import type { RevocationSubject } from "../../revocation/matches.ts";
import type { RevocableExchange, Revocations } from "../../revocation/revocations.ts";
import type { Directory } from "../../tenant/directory.ts";
import { recheck } from "../../watch-callers.ts";
import type { Later } from "./later.ts";
import type { ObjectRevocations } from "./object-revocations.ts";

/** News so old are good enough to admit by. */
const freshMs = 250;
/** How often an exchange looks at what the isolate knows; costs no call. */
const lookEveryMs = 150;
/** How long the directory object lets a question for news wait. */
const waitMs = 3_000;

/**
 * Revocations in an isolate, where a timer or a connection belongs to the request that made it and dies with it. So each
 * open exchange looks for itself at what the isolate knows, and one of them, whichever finds that nobody does, waits for
 * news on behalf of all.
 */
export class IsolateRevocations implements RevocationGate {
  readonly #revocations: Revocations;
  readonly #path: ObjectRevocations;
  readonly #directory: Directory;
  readonly #clock: Clock;
  readonly #later: Later;
  readonly #log: Log;
  #mark: string | undefined;
  /** Grows with each answer: whatever it was about, callers are looked at again. */
  #answers = 0;
  #waiting: { readonly by: RevocableExchange; readonly sinceMs: number } | undefined;

  constructor(
    revocations: Revocations,
    path: ObjectRevocations,
    ports: { readonly directory: Directory; readonly clock: Clock; readonly later: Later; readonly log: Log },
  ) {
    this.#revocations = revocations;
    this.#path = path;
    this.#directory = ports.directory;
    this.#clock = ports.clock;
    this.#later = ports.later;
    this.#log = ports.log;
  }

  hear(): Promise<void> | undefined {
    const silentForMs = this.#revocations.silentForMs();
    if (silentForMs < freshMs || (this.#isWaitedFor() && silentForMs < 2 * waitMs)) return undefined;
    return this.#attend();
  }

  standing(permit: Permit, subject: RevocationSubject): Decision<Permit> {
    return this.#revocations.standing(permit, subject);
  }

  guard(exchange: OpenExchange): () => void {
    let cancel: Cancel;
    let answers = this.#answers;
    const look = (): void => {
      cancel = this.#clock.after(lookEveryMs, look);
      this.#revocations.enforce(exchange);
      if (!this.#isWaitedFor()) void this.#awaitNews(exchange);
      if (answers === this.#answers) return;
      answers = this.#answers;
      void recheck(exchange.caller.tenant.id, [exchange], this.#directory);
    };
    cancel = this.#clock.after(lookEveryMs, look);
    return () => {
      cancel();
      if (this.#waiting?.by === exchange) this.#waiting = undefined;
    };
  }

  ended(orderId: string): void {
    this.#revocations.ended(orderId);
    this.#later(this.#attend());
  }

  /** A question that was not answered when it should have been is nobody's any more. */
  #isWaitedFor(): boolean {
    return this.#waiting !== undefined && this.#clock.nowMs() - this.#waiting.sinceMs < 2 * waitMs;
  }

  async #awaitNews(by: RevocableExchange): Promise<void> {
    const waiting = { by, sinceMs: this.#clock.nowMs() };
    this.#waiting = waiting;
    try {
      this.#mark = await this.#path.awaitNews(this.#mark, waitMs);
      await this.#attend();
    } catch (error) {
      this.#log.warn("the directory object tells no news", { error: String(error) });
    } finally {
      if (this.#waiting === waiting) this.#waiting = undefined;
      this.#answers += 1;
    }
  }

  async #attend(): Promise<void> {
    try {
      await this.#revocations.attend(this.#path);
    } catch (error) {
      this.#log.warn("revocations are not heard", { error: String(error) });
    }
  }
}
