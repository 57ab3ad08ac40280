import { amountsOf, type AppliedLimit } from "../../quota/limit.ts";
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
import type { ValkeyCalls } from "./valkey-calls.ts";
import { Unanswered } from "./valkey-connection.ts";
import type { ValkeySettlements } from "./valkey-settlements.ts";
import {
  bucketOf,
  epochOf,
  judgedOf,
  limitRows,
  marksOf,
  numberAt,
  piecesOf,
  statesOf,
  status,
  textAt,
  type ValkeyReply,
} from "./valkey-wire.ts";

/** Late, made whole, and once more: no call needs more turns than these, and none goes round for ever. */
const mostTurns = 4;

/**
 * Limits counted on Valkey. Each decision is one call of a function of `valkey-*.lua`, by the server's clock; what the limits then
 * say is worked out here, with the code that every store uses.
 */
export class ValkeyQuota implements QuotaStore {
  readonly #calls: ValkeyCalls;
  readonly #settlements: ValkeySettlements;
  readonly #makeWhole: (tenantId: string) => Promise<void>;
  readonly #process: string;
  #serial = 0;

  /**
   * @param process tells this process's calls from all others'.
   * @param makeWhole sets a tenant's counters to what the journal says.
   */
  constructor(
    calls: ValkeyCalls,
    settlements: ValkeySettlements,
    process: string,
    makeWhole: (tenantId: string) => Promise<void>,
  ) {
    this.#calls = calls;
    this.#settlements = settlements;
    this.#process = process;
    this.#makeWhole = makeWhole;
  }

  async reserve(request: ReservationRequest): Promise<ReserveOutcome> {
    const { tenantId, id, limits, hold, leaseMs, intent } = request;
    requireAmounts(hold);
    const bucket = bucketOf(tenantId);
    const known = this.#settlements.reclaim(tenantId, id);
    const nonce = known ?? `${this.#process}-${this.#serial++}`;
    const fields = fieldsOf(request, nonce);
    let reply: ValkeyReply;
    try {
      reply = await this.#decided(tenantId, () => this.#reserve(bucket, fields, intent));
    } catch (error) {
      if (known !== undefined || error instanceof Unanswered) this.#settlements.giveBack(tenantId, id, nonce);
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
        const marks = marksOf(reply, limits);
        const leaseEndsMs = performance.now() + leaseMs;
        const fieldsOfRest = (rest: Rest): string => fieldsOf({ ...request, ...rest }, nonce);
        const epoch = epochOf(reply);
        this.#settlements.add({ tenantId, id, bucket, fields, intent, fieldsOfRest, marks, epoch, leaseEndsMs });
        return admitted(statesOf(reply, limits), hold);
      }
    }
  }

  async settle({ tenantId, id, charge, rest }: Settlement): Promise<boolean> {
    requireAmounts(charge);
    if (rest === undefined) return this.#settlements.settle(tenantId, id, charge);
    requireAmounts(rest.hold);
    return this.#settlements.settlePart(tenantId, id, charge, rest);
  }

  async renew(tenantId: string, ids: readonly string[], leaseMs: number): Promise<void> {
    if (ids.length === 0) return;
    // Whether the server hears of it or not: what is open here must be put back, however long a server was away that lost it.
    this.#settlements.renewed(tenantId, ids, performance.now() + leaseMs);
    await this.#calls.call("renew", bucketOf(tenantId), [tenantId, String(leaseMs), ...ids]);
  }

  async expire(count: number): Promise<readonly ExpiredReservation[]> {
    await this.#settlements.upkeep();
    const asked = await Promise.allSettled(this.#calls.everyBucket("expire", [String(count)]));
    const expired = asked.flatMap((one) => (one.status === "fulfilled" ? piecesOf(one.value, 7).map(expiredOf) : []));
    // What the servers that answer have must not wait for one that does not.
    const failed = asked.find((one) => one.status === "rejected");
    if (expired.length === 0 && failed !== undefined) throw failed.reason;
    return expired.slice(0, count);
  }

  async recorded(tenantId: string, ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#calls.call("recorded", bucketOf(tenantId), [tenantId, ...ids]);
  }

  async inspect(tenantId: string, limits: readonly AppliedLimit[]): Promise<readonly LimitState[]> {
    const args = [tenantId, limitRows(limits, undefined)];
    return statesOf(await this.#decided(tenantId, () => this.#calls.call("inspect", bucketOf(tenantId), args)), limits);
  }

  /** Reservations of a tenant that have no receipt yet. */
  async open(tenantId: string): Promise<readonly ExpiredReservation[]> {
    const reply = await this.#calls.call("opened", bucketOf(tenantId), [tenantId]);
    return piecesOf(reply, 5).map(([id = "", input = 0, output = 0, microUsd = 0, intent = ""]) => ({
      id: String(id),
      tenantId,
      hold: amountsOf(1, Number(input), Number(output), Number(microUsd)),
      intent: String(intent),
    }));
  }

  /** The least id of all reservations that have no receipt yet. */
  async oldest(): Promise<string | undefined> {
    const ids = (await Promise.all(this.#calls.everyBucket("oldest", [])))
      .map((reply) => textAt(reply, 3))
      .filter((id) => id !== "");
    return ids.length === 0 ? undefined : ids.reduce((least, id) => (id < least ? id : least));
  }

  #reserve(bucket: number, fields: string, intent: string): Promise<ValkeyReply> {
    return this.#calls.call("reserve", bucket, [`{${fields},"deadline":${this.#calls.deadlineMs(bucket)}}`, intent]);
  }

  /** Calls until there is an answer that decides: a server's clock was set, or a tenant's counters are not whole. */
  async #decided(tenantId: string, call: () => Promise<ValkeyReply>): Promise<ValkeyReply> {
    for (let turn = 0; turn < mostTurns; turn++) {
      const reply = await call();
      const answer = numberAt(reply, 0);
      if (answer === status.notWhole) await this.#makeWhole(tenantId);
      else if (answer !== status.late) return reply;
    }
    throw new StoreUnavailable("Valkey's answers come too late, or its data do not stay.");
  }
}

function fieldsOf({ tenantId, id, limits, hold, leaseMs, slice }: ReservationRequest, nonce: string): string {
  const named = `"tenant":${JSON.stringify(tenantId)},"id":${JSON.stringify(id)},"nonce":${JSON.stringify(nonce)}`;
  const amounts = `[${hold.requests},${hold.inputTokens},${hold.outputTokens},${hold.microUsd}]`;
  const kind = slice === true ? ',"slice":true' : "";
  return `${named}${kind},"hold":${amounts},"lease":${leaseMs},"limits":${limitRows(limits, hold)}`;
}

function expiredOf(piece: ValkeyReply): ExpiredReservation {
  return {
    tenantId: textAt(piece, 0),
    id: textAt(piece, 1),
    hold: amountsOf(numberAt(piece, 2), numberAt(piece, 3), numberAt(piece, 4), numberAt(piece, 5)),
    intent: textAt(piece, 6),
  };
}
