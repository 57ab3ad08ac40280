import type { Log } from "../../log.ts";
import { amountsOf, type Amounts, type AppliedLimit } from "../../quota/limit.ts";
import { admitted, refused } from "../../quota/outcome.ts";
import { requireAmounts } from "../../quota/require-amounts.ts";
import {
  StoreUnavailable,
  type ExpiredReservation,
  type LimitState,
  type QuotaStore,
  type ReservationRequest,
  type ReserveOutcome,
  type Rest,
  type Settlement,
} from "../../quota/store.ts";
import { Unanswered, type ValkeyAnswer, type ValkeyConnection } from "./valkey-connection.ts";
import { HeldReservations, type HeldReservation, type OwedSettlement } from "./valkey-held.ts";
import type { ValkeyFunction } from "./valkey-library.ts";
import {
  bucketCount,
  bucketOf,
  epochOf,
  judgedOf,
  limitRows,
  marksOf,
  nowMsOf,
  numberAt,
  piecesOf,
  statesOf,
  status,
  textAt,
  type ValkeyReply,
} from "./valkey-wire.ts";

export interface ValkeyQuotaSettings {
  readonly commandTimeoutMs: number;
  /** Makes a tenant's counters whole; `undefined`: counters that are not there are at zero. */
  readonly rebuild: ((tenantId: string) => Promise<void>) | undefined;
}

/** Late, rebuilt, and once more: no call needs more turns than these, and none goes round for ever. */
const mostTurns = 4;

/**
 * Limits counted on Valkey. Each decision is one call of a function of `valkey-*.lua`, by the server's clock; what the limits then
 * say is worked out here, with the code that every store uses.
 *
 * What this process placed it remembers until it settles: to place it again where the server comes back empty, and to
 * settle at last what the server could not be told.
 */
export class ValkeyQuota implements QuotaStore {
  readonly #connection: ValkeyConnection;
  readonly #settings: ValkeyQuotaSettings;
  readonly #log: Log;
  readonly #held = new HeldReservations();
  /** By bucket; 0: not known yet. */
  readonly #epochs = new Float64Array(bucketCount);
  /** The server's clock minus this process's own, as of the last answer; by bucket, since a cluster has several clocks. */
  readonly #offsetsMs = new Float64Array(bucketCount).fill(Number.NaN);
  readonly #process: string;
  #serial = 0;

  /** @param process tells this process's calls from all others'. */
  constructor(connection: ValkeyConnection, process: string, settings: ValkeyQuotaSettings, log: Log) {
    this.#connection = connection;
    this.#process = process;
    this.#settings = settings;
    this.#log = log;
  }

  async reserve(request: ReservationRequest): Promise<ReserveOutcome> {
    const { tenantId, id, limits, hold, leaseMs, intent } = request;
    requireAmounts(hold);
    const bucket = bucketOf(tenantId);
    const known = this.#held.reclaim(tenantId, id);
    const nonce = known ?? `${this.#process}-${this.#serial++}`;
    const guarded = this.#settings.rebuild !== undefined;
    const fields = fieldsOf(request, nonce, guarded);
    let reply: ValkeyReply;
    try {
      reply = await this.#settled(bucket, tenantId, () => this.#reserve(bucket, fields, intent));
    } catch (error) {
      // It may be held nevertheless. Nothing was sent upstream for it, so it is given back as soon as somebody listens.
      if (known !== undefined || error instanceof Unanswered)
        this.#held.owe({ tenantId, id, nonce, charge: amountsOf(0, 0, 0, 0) });
      throw error;
    }
    switch (numberAt(reply, 0)) {
      case status.duplicate:
        throw new Error(`The reservation ${id} is open already.`);
      case status.refused: {
        const refusal = refused(judgedOf(reply, limits, hold));
        if (refusal === undefined) throw new Error("Valkey refused what fits: its library and this gateway differ.");
        return refusal;
      }
      default: {
        const leaseEndsMs = performance.now() + leaseMs;
        this.#held.add({
          tenantId,
          id,
          bucket,
          fields,
          intent,
          fieldsOfRest: (rest) => fieldsOf({ ...request, ...rest }, nonce, guarded),
          marks: marksOf(reply, limits),
          epoch: epochOf(reply),
          leaseEndsMs,
        });
        return admitted(statesOf(reply, limits), hold);
      }
    }
  }

  async settle(settlement: Settlement): Promise<boolean> {
    if (settlement.rest !== undefined) return this.#settlePart(settlement, settlement.rest);
    const { tenantId, id, charge } = settlement;
    requireAmounts(charge);
    const bucket = bucketOf(tenantId);
    const own = this.#held.take(tenantId, id);
    const args = settleArgs(tenantId, id, charge, "");
    let answer: ValkeyAnswer;
    try {
      answer = await this.#ask("settle", bucket, args);
    } catch (error) {
      if (own !== undefined) this.#held.owe({ tenantId, id, charge, nonce: "" });
      throw error;
    }
    if (numberAt(answer.reply, 0) === 1) return true;
    const epoch = epochOf(answer.reply);
    if (own === undefined) return false;
    // The first of two calls took effect, and only its answer was lost.
    if (own.epoch === epoch) return answer.repeated;
    // Lost with the data. Sums that are yet to be read from the journal have this receipt in them; others may not.
    if (numberAt(answer.reply, 3) === 0 && this.#settings.rebuild !== undefined) return false;
    await this.#restore(own, epoch);
    return numberAt(await this.#call("settle", bucket, args), 0) === 1;
  }

  /** Whoever asks for it asks again where it fails, with the same ids, so nothing is owed. */
  async #settlePart({ tenantId, id, charge }: Settlement, rest: Rest): Promise<boolean> {
    requireAmounts(charge);
    requireAmounts(rest.hold);
    const bucket = bucketOf(tenantId);
    const args = [...settleArgs(tenantId, id, charge, ""), restArg(rest)];
    let answer = await this.#ask("settle", bucket, args);
    const own = this.#held.find(tenantId, id);
    if (own !== undefined && numberAt(answer.reply, 0) === 0 && own.epoch !== epochOf(answer.reply)) {
      // Lost with the data, and not put back yet.
      await this.#restore(own, epochOf(answer.reply));
      answer = await this.#ask("settle", bucket, args);
    }
    this.#held.take(tenantId, id);
    if (own !== undefined) {
      const leaseEndsMs = performance.now() + rest.leaseMs;
      this.#held.add({ ...own, id: rest.id, fields: own.fieldsOfRest(rest), leaseEndsMs });
    }
    return numberAt(answer.reply, 0) === 1 || answer.repeated;
  }

  async renew(tenantId: string, ids: readonly string[], leaseMs: number): Promise<void> {
    if (ids.length === 0) return;
    await this.#call("renew", bucketOf(tenantId), [tenantId, String(leaseMs), ...ids]);
    const leaseEndsMs = performance.now() + leaseMs;
    for (const id of ids) {
      const own = this.#held.find(tenantId, id);
      if (own !== undefined) own.leaseEndsMs = Math.max(own.leaseEndsMs, leaseEndsMs);
    }
  }

  async expire(count: number): Promise<readonly ExpiredReservation[]> {
    this.#held.prune(performance.now());
    await this.#payAll();
    const asked = await Promise.allSettled(this.#everyBucket("expire", [String(count)]));
    const expired = asked.flatMap((one) => (one.status === "fulfilled" ? piecesOf(one.value, 7).map(expiredOf) : []));
    // What the servers that answer have must not wait for one that does not.
    const failed = asked.find((one) => one.status === "rejected");
    if (expired.length === 0 && failed !== undefined) throw failed.reason;
    return expired.slice(0, count);
  }

  async recorded(tenantId: string, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#call("recorded", bucketOf(tenantId), [tenantId, ...ids]);
  }

  async inspect(tenantId: string, limits: readonly AppliedLimit[]): Promise<readonly LimitState[]> {
    const bucket = bucketOf(tenantId);
    const args = [tenantId, limitRows(limits, undefined), this.#settings.rebuild === undefined ? "0" : "1"];
    return statesOf(await this.#settled(bucket, tenantId, () => this.#call("inspect", bucket, args)), limits);
  }

  /** Reservations of a tenant that have no receipt yet. */
  async open(tenantId: string): Promise<readonly ExpiredReservation[]> {
    const reply = await this.#call("opened", bucketOf(tenantId), [tenantId]);
    return piecesOf(reply, 5).map(([id = "", input = 0, output = 0, microUsd = 0, intent = ""]) => ({
      id: String(id),
      tenantId,
      hold: amountsOf(1, Number(input), Number(output), Number(microUsd)),
      intent: String(intent),
    }));
  }

  /** The least id of all reservations that have no receipt yet. */
  async oldest(): Promise<string | undefined> {
    const ids = (await Promise.all(this.#everyBucket("oldest", []))).map((reply) => textAt(reply, 3)).filter((id) => id !== "");
    return ids.length === 0 ? undefined : ids.reduce((least, id) => (id < least ? id : least));
  }

  async epoch(tenantId: string): Promise<number> {
    return epochOf(await this.#call("epoch", bucketOf(tenantId), []));
  }

  /** Finds out whether the data are those that were there, and puts back what is held here where they are not. */
  async greet(): Promise<void> {
    await Promise.all(this.#everyBucket("epoch", []));
    this.#putBack(this.#held.list());
    await this.#payAll();
  }

  call: (name: ValkeyFunction, bucket: number, args: readonly string[]) => Promise<ValkeyReply> = (name, bucket, args) =>
    this.#call(name, bucket, args);

  async #reserve(bucket: number, fields: string, intent: string): Promise<ValkeyReply> {
    const serverMs = performance.now() + (this.#offsetsMs[bucket] ?? Number.NaN);
    const deadlineMs = Number.isNaN(serverMs) ? 0 : Math.floor(serverMs + this.#settings.commandTimeoutMs);
    return this.#call("reserve", bucket, [`{${fields},"deadline":${deadlineMs}}`, intent]);
  }

  /** Calls until there is an answer that settles the matter: a server's clock was set, or a tenant's counters are not whole. */
  async #settled(bucket: number, tenantId: string, call: () => Promise<ValkeyReply>): Promise<ValkeyReply> {
    for (let turn = 0; turn < mostTurns; turn++) {
      const reply = await call();
      const answer = numberAt(reply, 0);
      if (answer === status.unbuilt && this.#settings.rebuild !== undefined) await this.#settings.rebuild(tenantId);
      else if (answer !== status.late) return reply;
    }
    throw new StoreUnavailable(`Valkey's answers for bucket ${bucket} come too late or its data do not stay.`);
  }

  #everyBucket(name: ValkeyFunction, args: readonly string[]): Promise<ValkeyReply>[] {
    return Array.from({ length: bucketCount }, (_, bucket) => this.#call(name, bucket, args));
  }

  async #call(name: ValkeyFunction, bucket: number, args: readonly string[]): Promise<ValkeyReply> {
    return (await this.#ask(name, bucket, args)).reply;
  }

  async #ask(name: ValkeyFunction, bucket: number, args: readonly string[]): Promise<ValkeyAnswer> {
    const answer = await this.#connection.call(name, bucket, args);
    this.#offsetsMs[bucket] = nowMsOf(answer.reply) - performance.now();
    const epoch = epochOf(answer.reply);
    if (this.#epochs[bucket] !== epoch) this.#notice(bucket, epoch);
    return answer;
  }

  #notice(bucket: number, epoch: number): void {
    const before = this.#epochs[bucket];
    this.#epochs[bucket] = epoch;
    if (before === 0) return;
    const here = this.#held.list().filter((one) => one.bucket === bucket);
    this.#log.error("Valkey lost its data", { bucket, epoch, heldHere: here.length });
    this.#putBack(here);
  }

  #putBack(reservations: readonly HeldReservation[]): void {
    for (const one of reservations) {
      const epoch = this.#epochs[one.bucket] ?? 0;
      if (one.epoch === epoch) continue;
      this.#restore(one, epoch).catch((error: unknown) =>
        this.#log.warn("a reservation is not yet put back", { requestId: one.id, error: String(error) }),
      );
    }
  }

  /** The server takes it only in another epoch than it was placed in, and only where it is not there. */
  async #restore(one: HeldReservation, epoch: number): Promise<void> {
    const before = one.epoch;
    one.epoch = epoch;
    try {
      await this.#call("restore", one.bucket, [
        `{${one.fields},"marks":${JSON.stringify(one.marks)}}`,
        one.intent,
        String(before),
      ]);
    } catch (error) {
      one.epoch = before;
      throw error;
    }
  }

  async #payAll(): Promise<void> {
    await Promise.all(this.#held.owed().map((one) => this.#pay(one)));
  }

  async #pay(owed: OwedSettlement): Promise<void> {
    try {
      await this.#call("settle", bucketOf(owed.tenantId), settleArgs(owed.tenantId, owed.id, owed.charge, owed.nonce));
      this.#held.paid(owed);
    } catch (error) {
      this.#log.warn("a settlement still waits for Valkey", { requestId: owed.id, error: String(error) });
    }
  }
}

function fieldsOf({ tenantId, id, limits, hold, leaseMs, slice }: ReservationRequest, nonce: string, guarded: boolean): string {
  const named = `"tenant":${JSON.stringify(tenantId)},"id":${JSON.stringify(id)},"nonce":${JSON.stringify(nonce)}`;
  const amounts = `[${hold.requests},${hold.inputTokens},${hold.outputTokens},${hold.microUsd}]`;
  const kind = slice === true ? ',"slice":true' : "";
  return `${named}${kind},"hold":${amounts},"lease":${leaseMs},"guarded":${guarded},"limits":${limitRows(limits, hold)}`;
}

function settleArgs(tenantId: string, id: string, charge: Amounts, nonce: string): string[] {
  const { requests, tokens, inputTokens, outputTokens, microUsd } = charge;
  return [tenantId, id, String(requests), String(tokens), String(inputTokens), String(outputTokens), String(microUsd), nonce];
}

function restArg({ id, hold, leaseMs }: Rest): string {
  const { requests, tokens, inputTokens, outputTokens, microUsd, concurrent = 1 } = hold;
  return JSON.stringify({ id, lease: leaseMs, amounts: [requests, tokens, inputTokens, outputTokens, microUsd, concurrent] });
}

function expiredOf(piece: ValkeyReply): ExpiredReservation {
  return {
    tenantId: textAt(piece, 0),
    id: textAt(piece, 1),
    hold: amountsOf(numberAt(piece, 2), numberAt(piece, 3), numberAt(piece, 4), numberAt(piece, 5)),
    intent: textAt(piece, 6),
  };
}
