import type { Amounts } from "../../quota/limit.ts";
import type { Rest } from "../../quota/store.ts";

/** A reservation that this process placed, until the server took its settlement: enough to place it again after a loss. */
export interface HeldReservation {
  readonly tenantId: string;
  readonly id: string;
  readonly bucket: number;
  /** The request's fields as JSON, without the braces. */
  readonly fields: string;
  readonly intent: string;
  /** The fields of what is held on of it, under another id. */
  readonly fieldsOfRest: (rest: Rest) => string;
  /** The periods that it was admitted in, by limit. */
  readonly marks: readonly number[];
  /** The epoch of the data that it stands in. */
  epoch: number;
  /** While it is put back. */
  restoring: Promise<void> | undefined;
  /** By this process's own clock, `performance.now()`. */
  leaseEndsMs: number;
}

/** A settlement that the server is yet to be told. */
export interface OwedSettlement {
  readonly tenantId: string;
  readonly id: string;
  readonly charge: Amounts;
  /** Of the call that may have placed the reservation; only that one is settled. Empty: whichever. */
  readonly nonce: string;
}

/** More are dropped, oldest first: their leases run out, and the server charges what they held. */
const mostOwed = 20_000;

/** What this process knows of its own reservations, for the time that the server does not. */
export class HeldReservations {
  readonly #held = new Map<string, HeldReservation>();
  readonly #owed = new Map<string, OwedSettlement>();

  add(reservation: HeldReservation): void {
    this.#held.set(nameOf(reservation.tenantId, reservation.id), reservation);
  }

  find(tenantId: string, id: string): HeldReservation | undefined {
    return this.#held.get(nameOf(tenantId, id));
  }

  remove(tenantId: string, id: string): void {
    this.#held.delete(nameOf(tenantId, id));
  }

  list(): HeldReservation[] {
    return [...this.#held.values()];
  }

  /** Forgets those whose lease ran out: the server took them back, or somebody else settled them. */
  prune(nowMs: number): void {
    for (const [name, { leaseEndsMs }] of this.#held) if (leaseEndsMs <= nowMs) this.#held.delete(name);
  }

  owe(settlement: OwedSettlement): void {
    this.#owed.set(nameOf(settlement.tenantId, settlement.id), settlement);
    if (this.#owed.size <= mostOwed) return;
    for (const oldest of this.#owed.keys()) return void this.#owed.delete(oldest);
  }

  /** The same request is asked for again: the nonce of the call that may have placed it already. */
  reclaim(tenantId: string, id: string): string | undefined {
    const name = nameOf(tenantId, id);
    const owed = this.#owed.get(name);
    if (owed === undefined || owed.nonce === "") return undefined;
    this.#owed.delete(name);
    return owed.nonce;
  }

  owed(): OwedSettlement[] {
    return [...this.#owed.values()];
  }

  paid(settlement: OwedSettlement): void {
    const name = nameOf(settlement.tenantId, settlement.id);
    if (this.#owed.get(name) === settlement) this.#owed.delete(name);
  }
}

function nameOf(tenantId: string, id: string): string {
  return `${tenantId} ${id}`;
}
