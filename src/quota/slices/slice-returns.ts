import type { Settlement } from "../store.ts";
import type { SlicePorts } from "./slice-ports.ts";
import type { Slice } from "./slice.ts";
import { holdOffMs } from "./slice-settings.ts";

/**
 * Slices that admit no more, on their way back to the store: at once what was not used, then by and by what open requests
 * held. What the store was told and did not answer it is told again, word for word, until it does.
 */
export class SliceReturns {
  readonly #leaseMs: number;
  readonly #ports: SlicePorts;
  readonly #slices = new Set<Slice>();
  /** Of calls that may have taken a slice, and gave no answer. */
  readonly #owed = new Set<Settlement>();
  #running: Promise<void> | undefined;
  #holdOffUntilMs = Number.NEGATIVE_INFINITY;

  constructor(leaseMs: number, ports: SlicePorts) {
    this.#leaseMs = leaseMs;
    this.#ports = ports;
  }

  get isEmpty(): boolean {
    return this.#slices.size === 0 && this.#owed.size === 0;
  }

  add(slice: Slice): void {
    this.#slices.add(slice);
  }

  owe(settlement: Settlement): void {
    this.#owed.add(settlement);
  }

  /** Tells the store what there is to tell. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<void> {
    const { elapsedMs, log } = this.#ports;
    if (elapsedMs() < this.#holdOffUntilMs) return;
    const told = await Promise.allSettled([
      ...[...this.#slices].map((slice) => this.#return(slice)),
      ...[...this.#owed].map((one) => this.#pay(one)),
    ]);
    const failed = told.find((one) => one.status === "rejected");
    if (failed === undefined) return;
    this.#holdOffUntilMs = elapsedMs() + holdOffMs;
    log.warn("slices of the limits are not given back yet", { slices: this.#slices.size, error: String(failed.reason) });
  }

  async #pay(settlement: Settlement): Promise<void> {
    await this.#ports.exact.settle(settlement);
    this.#owed.delete(settlement);
  }

  async #return(slice: Slice): Promise<void> {
    const { exact, elapsedMs, newId } = this.#ports;
    const sentAtMs = elapsedMs();
    const mustRenew = sentAtMs - slice.renewedAtMs >= this.#leaseMs / 3;
    if (slice.telling === undefined) {
      if (slice.isWorthTelling || (mustRenew && slice.hasEnded)) slice.telling = slice.tell(newId(), this.#leaseMs);
      else if (mustRenew) await exact.renew(slice.tenantId, [slice.id], this.#leaseMs);
      else return;
    }
    const { telling } = slice;
    if (telling !== undefined) {
      // False where it had taken effect before, or the store took the slice back: either way this part is over.
      await exact.settle(telling);
      slice.telling = undefined;
      if (telling.rest === undefined) this.#slices.delete(slice);
      else slice.id = telling.rest.id;
    }
    slice.renewedAtMs = sentAtMs;
  }
}
