import type { Decision } from "./decision.ts";
import type { Lifetime, Withdrawal } from "./lifetime.ts";
import type { Permit } from "./policy/permit.ts";
import type { Deployment, Model } from "./region/catalogue.ts";
import type { RevocationGate } from "./revocation/gate.ts";
import type { RevocationSubject } from "./revocation/matches.ts";
import type { RevocableExchange } from "./revocation/revocations.ts";
import type { Caller } from "./tenant/authenticate.ts";
import type { AttemptGate } from "./upstream/forward.ts";

/** Tells that an upstream is not what is declared of it, and takes it out of use where that calls for it. */
export type RaiseAlarm = (deployment: Deployment, outcome: string, mismatch: string) => Promise<void>;

/** An exchange that holds a reservation: what may end it from outside, and whom it belongs to. */
export class OpenExchange implements RevocableExchange, AttemptGate {
  readonly caller: Caller;
  readonly life: Lifetime;
  readonly #model: Model;
  readonly #gate: RevocationGate;
  readonly #alarm: RaiseAlarm;
  readonly #alarms: Promise<void>[] = [];
  readonly #release: () => void;
  #deployment: Deployment | undefined;
  #closed = false;

  constructor(caller: Caller, model: Model, life: Lifetime, gate: RevocationGate, alarm: RaiseAlarm) {
    this.caller = caller;
    this.life = life;
    this.#model = model;
    this.#gate = gate;
    this.#alarm = alarm;
    this.#release = gate.guard(this);
  }

  get deployment(): Deployment | undefined {
    return this.#deployment;
  }

  /** With the model that answers now, which an upstream may have chosen itself. */
  get subject(): RevocationSubject {
    return this.#subjectOf(this.#deployment?.model ?? this.#model);
  }

  standing(permit: Permit): Decision<Permit> {
    return this.#gate.standing(permit, this.#subjectOf(permit.model));
  }

  workedOnBy(deployment: Deployment): void {
    this.#deployment = deployment;
  }

  mismatched(deployment: Deployment, outcome: string, mismatch: string): void {
    // The quarantine cuts what is open there, and this exchange is there no longer.
    this.#deployment = undefined;
    this.#alarms.push(this.#alarm(deployment, outcome, mismatch));
  }

  #subjectOf(model: Model): RevocationSubject {
    return { tenant: this.caller.tenant, keyId: this.caller.keyId, model };
  }

  /** Resolves once every alarm that was raised is known wherever it can be. */
  async alarmed(): Promise<void> {
    await Promise.all(this.#alarms);
  }

  revoke(by: string, how: Withdrawal): boolean {
    return this.life.cut(how, by);
  }

  /** After the last byte; once, however often it is called. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    if (this.life.revokedBy !== undefined) this.#gate.ended(this.life.revokedBy);
  }
}
