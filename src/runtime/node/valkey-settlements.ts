import type { Log } from "../../log.ts";
import { amountsOf, type Amounts } from "../../quota/limit.ts";
import { StoreUnavailable, type Rest } from "../../quota/store.ts";
import type { ValkeyCalls } from "./valkey-calls.ts";
import { HeldReservations, type HeldReservation, type OwedSettlement } from "./valkey-held.ts";
import { bucketOf, epochOf, numberAt, settling } from "./valkey-wire.ts";

const payEveryMs = 250;
/** Settlements under way at once, when many waited. */
const paidAtOnce = 500;

/**
 * What this process placed, until the server has taken its settlement. A server that comes back empty is told of all of
 * it again, the settled beside the open, and takes settlements once limits are whole: what is open there when the journal is
 * summed is left out of the sums, so that nothing counts twice and nothing is missed. A settlement that the server could not be told is told when it can be.
 */
export class ValkeySettlements {
  readonly #calls: ValkeyCalls;
  readonly #log: Log;
  readonly #onPutBack: (tenantId: string) => void;
  readonly #held = new HeldReservations();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #paying: Promise<void> | undefined;
  #waits = false;
  #closed = false;

  /** @param onPutBack told of each tenant that was given back something after a loss. */
  constructor(calls: ValkeyCalls, onPutBack: (tenantId: string) => void, log: Log) {
    this.#calls = calls;
    this.#onPutBack = onPutBack;
    this.#log = log;
  }

  add(reservation: Omit<HeldReservation, "restoring">): void {
    const own = { ...reservation, restoring: undefined };
    this.#held.add(own);
    // Lost while its answer was on the way.
    if (own.epoch !== this.#calls.epochAt(own.bucket)) this.#putBack([own]);
  }

  renewed(tenantId: string, ids: readonly string[], leaseEndsMs: number): void {
    for (const id of ids) {
      const own = this.#held.find(tenantId, id);
      if (own !== undefined) own.leaseEndsMs = Math.max(own.leaseEndsMs, leaseEndsMs);
    }
  }

  /** The nonce of an earlier call for the same request, which may have placed it. */
  reclaim(tenantId: string, id: string): string | undefined {
    return this.#held.reclaim(tenantId, id);
  }

  /** Gives back what a call that was never answered may have placed; nothing was sent upstream for it. */
  giveBack(tenantId: string, id: string, nonce: string): void {
    this.#owe({ tenantId, id, nonce, charge: amountsOf(0, 0, 0, 0) });
  }

  /** True where it took effect, or will. */
  async settle(tenantId: string, id: string, charge: Amounts): Promise<boolean> {
    const own = this.#held.find(tenantId, id);
    const settlement = { tenantId, id, charge, nonce: "" };
    try {
      const outcome = await this.#tell(settlement, own);
      if (outcome === settling.busy) this.#owe(settlement);
      return outcome !== settling.unknown;
    } catch (error) {
      if (own !== undefined) this.#owe(settlement);
      throw error;
    }
  }

  /** Whoever asks for it asks again where it fails, with the same ids, so nothing is owed. */
  async settlePart(tenantId: string, id: string, charge: Amounts, rest: Rest): Promise<boolean> {
    const own = this.#held.find(tenantId, id);
    const outcome = await this.#tell({ tenantId, id, charge, nonce: "" }, own, [restArg(rest)]);
    if (outcome === settling.busy) throw new StoreUnavailable("Limits are being summed from the journal.");
    if (outcome === settling.settled && own !== undefined)
      this.add({ ...own, id: rest.id, fields: own.fieldsOfRest(rest), leaseEndsMs: performance.now() + rest.leaseMs });
    return outcome === settling.settled;
  }

  /** Tells the server again of what it lost, of one bucket or of all. Returns of how many. */
  putBack(bucket?: number): number {
    const lost = this.#held
      .list()
      .filter((one) => (bucket === undefined || one.bucket === bucket) && one.epoch !== this.#calls.epochAt(one.bucket));
    this.#putBack(lost);
    return lost.length;
  }

  /** Whether all that this process holds of a bucket is in the data that are there now. */
  isPutBack(bucket: number): boolean {
    return this.#held.list().every((one) => one.bucket !== bucket || one.epoch === this.#calls.epochAt(bucket));
  }

  /** Whether this process holds a reservation, in the data that are there now. */
  holds(tenantId: string, id: string): boolean {
    const own = this.#held.find(tenantId, id);
    return own !== undefined && own.epoch === this.#calls.epochAt(own.bucket);
  }

  /** Forgets what the server took back, and tells it of what is owed. */
  async upkeep(): Promise<void> {
    this.#held.prune(performance.now());
    await this.pay();
  }

  pay(): Promise<void> {
    this.#paying ??= this.#payAll().finally(() => {
      this.#paying = undefined;
      this.#payLater();
    });
    return this.#paying;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #payAll(): Promise<void> {
    const owed = this.#held.owed();
    for (let at = 0; at < owed.length; at += paidAtOnce) {
      const told = await Promise.allSettled(owed.slice(at, at + paidAtOnce).map((one) => this.#pay(one)));
      const failed = told.find((one) => one.status === "rejected");
      if (failed === undefined) continue;
      // Tried again every moment, and told once.
      if (!this.#waits) this.#log.warn("settlements wait for Valkey", { count: owed.length - at, error: String(failed.reason) });
      this.#waits = true;
      return;
    }
    if (this.#waits) this.#log.info("settlements that waited for Valkey are made", { count: owed.length });
    this.#waits = false;
  }

  async #pay(owed: OwedSettlement): Promise<void> {
    const own = owed.nonce === "" ? this.#held.find(owed.tenantId, owed.id) : undefined;
    if ((await this.#tell(owed, own)) !== settling.busy) this.#held.paid(owed);
  }

  #owe(settlement: OwedSettlement): void {
    this.#held.owe(settlement);
    this.#payLater();
  }

  #payLater(): void {
    if (this.#timer !== undefined || this.#paying !== undefined || this.#closed || this.#held.owed().length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.pay();
    }, payEveryMs);
    this.#timer.unref();
  }

  /** Returns one of `settling`. */
  async #tell(
    { tenantId, id, charge, nonce }: OwedSettlement,
    own: HeldReservation | undefined,
    more: readonly string[] = [],
  ): Promise<number> {
    const bucket = bucketOf(tenantId);
    const args = [...settleArgs(tenantId, id, charge, nonce), ...more];
    // One that fails is tried again below.
    await own?.restoring?.catch(() => undefined);
    const { reply, repeated } = await this.#calls.ask("settle", bucket, args);
    let outcome = numberAt(reply, 0);
    if (outcome === settling.unknown && own !== undefined) {
      if (own.epoch !== epochOf(reply)) {
        await this.#restore(own);
        outcome = numberAt(await this.#calls.call("settle", bucket, args), 0);
      } else if (repeated) {
        // The first of two calls took effect, and only its answer was lost.
        outcome = settling.settled;
      }
    }
    if (outcome !== settling.busy) this.#held.remove(tenantId, id);
    return outcome;
  }

  #putBack(lost: readonly HeldReservation[]): void {
    for (const one of lost) {
      this.#restore(one).catch((error: unknown) =>
        this.#log.warn("a reservation is not yet put back", { requestId: one.id, error: String(error) }),
      );
    }
  }

  /** The server takes it only in another epoch than it was placed in, and only where it is not there. */
  #restore(one: HeldReservation): Promise<void> {
    one.restoring ??= this.#tellOf(one).finally(() => (one.restoring = undefined));
    return one.restoring;
  }

  async #tellOf(one: HeldReservation): Promise<void> {
    const reply = await this.#calls.call("restore", one.bucket, [
      `{${one.fields},"marks":${JSON.stringify(one.marks)}}`,
      one.intent,
      String(one.epoch),
    ]);
    one.epoch = epochOf(reply);
    this.#onPutBack(one.tenantId);
  }
}

function settleArgs(tenantId: string, id: string, charge: Amounts, nonce: string): string[] {
  const { requests, tokens, inputTokens, outputTokens, microUsd } = charge;
  return [tenantId, id, String(requests), String(tokens), String(inputTokens), String(outputTokens), String(microUsd), nonce];
}

function restArg({ id, hold, leaseMs }: Rest): string {
  const { requests, tokens, inputTokens, outputTokens, microUsd, concurrent = 1 } = hold;
  return JSON.stringify({ id, lease: leaseMs, amounts: [requests, tokens, inputTokens, outputTokens, microUsd, concurrent] });
}
