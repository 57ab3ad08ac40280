import type { Decision } from "./decision.ts";
import type { Lifetime } from "./lifetime.ts";
import type { Permit } from "./policy/permit.ts";
import type { Deployment, Model } from "./region/catalogue.ts";
import type { RevocationGate } from "./revocation/gate.ts";
import type { RevocationSubject } from "./revocation/matches.ts";
import type { RevocableExchange } from "./revocation/revocations.ts";
import type { Caller } from "./tenant/authenticate.ts";
import type { AttemptGate } from "./upstream/forward.ts";

/** An exchange that holds a reservation: what may end it from outside, and whom it belongs to. */
export class OpenExchange implements RevocableExchange, AttemptGate {
  readonly caller: Caller;
  readonly life: Lifetime;
  readonly subject: RevocationSubject;
  readonly #gate: RevocationGate;
  readonly #release: () => void;
  #deployment: Deployment | undefined;

  constructor(caller: Caller, model: Model, life: Lifetime, gate: RevocationGate) {
    this.caller = caller;
    this.life = life;
    this.subject = { tenant: caller.tenant, keyId: caller.keyId, model };
    this.#gate = gate;
    this.#release = gate.guard(this);
  }

  get deployment(): Deployment | undefined {
    return this.#deployment;
  }

  standing(permit: Permit): Decision<Permit> {
    return this.#gate.standing(permit, this.subject);
  }

  leaving(deployment: Deployment): void {
    this.#deployment = deployment;
  }

  revoke(by: string): boolean {
    return this.life.cut("revoked", by);
  }

  /** After the last byte. */
  close(): void {
    this.#release();
    if (this.life.revokedBy !== undefined) this.#gate.ended(this.life.revokedBy);
  }
}
