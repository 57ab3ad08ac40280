import { sleep, type Cancel, type Clock } from "../../clock.ts";
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
import { LookedUp } from "./looked-up.ts";
import type { ObjectRevocations } from "./object-revocations.ts";

/** News so old are good enough to admit by. */
const freshMs = 250;
/** How often an exchange looks at what the isolate knows; costs no call. */
const lookEveryMs = 150;
/** An exchange that has not looked for so long is gone, however it went. */
const goneAfterMs = 3 * lookEveryMs;
/** How long the directory object lets a question for news wait, at the most, and how late its answer may be. */
const waitMs = 3_000;
const lateMs = 500;
/** By then whatever else an order hits has looked and was told. */
const cuttingMs = 1_000;
/** Between the books of two that were cut: workerd does all that is ready before it writes to anybody. */
const apartMs = 5;
/** What ends within it is acknowledged together. */
const gatherMs = 100;
/** How long a request that is to be admitted waits for the directory object. */
const patienceMs = 2_000;

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
  readonly #waitMs: number;
  /** Up to which news everything is known here. */
  #mark: string | undefined;
  /** Tenants since the latest answer: whatever it was about, callers are looked at again. */
  #lookedUp: LookedUp;
  #question: { readonly by: RevocableExchange; readonly askedAtMs: number; aliveAtMs: number } | undefined;
  #telling: { sinceMs: number } | undefined;
  /** When the books begin of what was cut last. */
  #booksAtMs = 0;
  /** Whether something ended that whoever tells may have missed. */
  #untold = false;

  /** `stalenessMs`: how long without news requests are admitted; a quiet directory object is heard well within it. */
  constructor(
    revocations: Revocations,
    path: ObjectRevocations,
    ports: {
      readonly directory: Directory;
      readonly clock: Clock;
      readonly later: Later;
      readonly log: Log;
      readonly stalenessMs: number;
    },
  ) {
    this.#revocations = revocations;
    this.#path = path;
    this.#directory = ports.directory;
    this.#clock = ports.clock;
    this.#later = ports.later;
    this.#log = ports.log;
    this.#lookedUp = new LookedUp(ports.directory, ports.clock);
    this.#waitMs = Math.min(waitMs, ports.stalenessMs / 3);
  }

  /** A directory object that does not answer is given up soon: whether what is known is too old, `standing` says. */
  hear(): Promise<void> | undefined {
    const silentForMs = this.#revocations.silentForMs();
    if (silentForMs < freshMs || (this.#isAsked() && silentForMs < this.#waitMs + lateMs)) return undefined;
    return Promise.race([this.#attend(), sleep(this.#clock, patienceMs)]);
  }

  standing(permit: Permit, subject: RevocationSubject): Decision<Permit> {
    return this.#revocations.standing(permit, subject);
  }

  guard(exchange: OpenExchange): () => void {
    let cancel: Cancel;
    let lookedUp = this.#lookedUp;
    const look = (): void => {
      cancel = this.#clock.after(lookEveryMs, look);
      this.#revocations.enforce(exchange);
      if (this.#question?.by === exchange) this.#question.aliveAtMs = this.#clock.nowMs();
      if (!this.#isAsked()) void this.#ask(exchange);
      const tenantId = exchange.caller.tenant.id;
      if (lookedUp === this.#lookedUp || exchange.life.reason !== undefined || this.#lookedUp.isAskedFor(tenantId)) return;
      lookedUp = this.#lookedUp;
      void recheck(tenantId, [exchange], lookedUp);
    };
    cancel = this.#clock.after(lookEveryMs, look);
    return () => {
      cancel();
      if (this.#question?.by === exchange) this.#question = undefined;
    };
  }

  ended(orderId: string): void {
    this.#revocations.ended(orderId);
    this.#untold = true;
    const nowMs = this.#clock.nowMs();
    if (this.#telling !== undefined && nowMs - this.#telling.sinceMs < patienceMs) return;
    this.#telling = { sinceMs: nowMs };
    this.#later(this.#tell(this.#telling));
  }

  othersCut(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    this.#booksAtMs = Math.max(nowMs + cuttingMs, this.#booksAtMs + apartMs);
    return sleep(this.#clock, this.#booksAtMs - nowMs);
  }

  /** A question whose exchange is gone, or that was not answered when it should have been, is nobody's any more. */
  #isAsked(): boolean {
    if (this.#question === undefined) return false;
    const { askedAtMs, aliveAtMs } = this.#question;
    const nowMs = this.#clock.nowMs();
    return nowMs - aliveAtMs < goneAfterMs && nowMs - askedAtMs < this.#waitMs + lateMs;
  }

  /** Waits for news and hears them. What could not be heard is asked for again, and then answered at once. */
  async #ask(by: RevocableExchange): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const question = { by, askedAtMs: nowMs, aliveAtMs: nowMs };
    this.#question = question;
    try {
      const mark = await this.#path.awaitNews(this.#mark, this.#waitMs);
      await this.#revocations.attend(this.#path);
      this.#mark = mark;
    } catch (error) {
      this.#log.warn("the directory object tells no news", { error: String(error) });
    } finally {
      if (this.#question === question) this.#question = undefined;
      this.#lookedUp = new LookedUp(this.#directory, this.#clock);
    }
  }

  /** Acknowledges what ended, on behalf of all that ends meanwhile: each for itself would keep the object from all else. */
  async #tell(telling: { sinceMs: number }): Promise<void> {
    while (this.#untold && this.#telling === telling) {
      this.#untold = false;
      await sleep(this.#clock, gatherMs);
      telling.sinceMs = this.#clock.nowMs();
      await this.#attend();
    }
    if (this.#telling === telling) this.#telling = undefined;
  }

  async #attend(): Promise<void> {
    try {
      await this.#revocations.attend(this.#path);
    } catch (error) {
      this.#log.warn("revocations are not heard", { error: String(error) });
    }
  }
}
