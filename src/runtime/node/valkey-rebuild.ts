import { counterKey, scopeOf } from "../../quota/counter.ts";
import { isPassing, type AppliedLimit } from "../../quota/limit.ts";
import type { Period } from "../../tenant/periods.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import type { ValkeyFunction } from "./valkey-library.ts";
import { bucketOf, epochOf, nowMsOf, numberAt, type ValkeyReply } from "./valkey-wire.ts";

/** What the journal says was used of one counter by the day or month. */
export interface RebuiltCounter {
  readonly limit: AppliedLimit;
  /** The period that the sum is of: one of `limit.periods`. */
  readonly period: Period;
  /** In the limit's unit; a non-negative integer. */
  readonly used: number;
}

/** Where counters come from when the server lost them. */
export interface QuotaHistory {
  /** Whether the tenant ever had a receipt. One that had none has nothing to rebuild and need not wait. */
  isKnown(tenantId: string): Promise<boolean>;
  /** All counters by the day and month that are not at zero. Read once a loss and tenant. */
  counters(tenantId: string): Promise<readonly RebuiltCounter[]>;
}

export interface RebuildSettings {
  /** How long after the loss other replicas may take to put back what they have open, before anything is admitted. */
  readonly quarantineMs: number;
  /** How long a request waits for it. */
  readonly patienceMs: number;
  /** How long a rebuild may take until another replica begins anew, which the first then cannot finish. */
  readonly turnMs: number;
}

export type ValkeyCall = (name: ValkeyFunction, bucket: number, args: readonly string[]) => Promise<ValkeyReply>;

const pollMs = 50;
const rowsACall = 500;

const whole = 0;
const taken = -1;

/**
 * Makes the counters of a tenant whole after the server lost its data. Whoever first asks for the tenant does it; others
 * wait, whichever replica they are on. The server takes sums from the latest token alone, and only until it has them.
 */
export class ValkeyRebuild {
  readonly #call: ValkeyCall;
  readonly #history: QuotaHistory;
  readonly #settings: RebuildSettings;
  readonly #running = new Map<string, Promise<void>>();

  constructor(call: ValkeyCall, history: QuotaHistory, settings: RebuildSettings) {
    this.#call = call;
    this.#history = history;
    this.#settings = settings;
  }

  /** @throws {StoreUnavailable} while the tenant has to wait. */
  make(tenantId: string): Promise<void> {
    let running = this.#running.get(tenantId);
    if (running === undefined) {
      running = this.#make(tenantId).finally(() => this.#running.delete(tenantId));
      this.#running.set(tenantId, running);
    }
    return running;
  }

  async #make(tenantId: string): Promise<void> {
    const bucket = bucketOf(tenantId);
    const known = await this.#history.isKnown(tenantId);
    const giveUpMs = performance.now() + this.#settings.patienceMs;
    for (;;) {
      if (known) await this.#requireEndOfQuarantine(bucket);
      const begun = await this.#call("start_rebuild", bucket, [tenantId, String(this.#settings.turnMs)]);
      const token = numberAt(begun, 3);
      if (token === whole) return;
      // Whoever lost its turn asks again, and finds it done or gets a new one.
      if (token !== taken && (await this.#write(tenantId, bucket, known, epochOf(begun), token))) return;
      if (performance.now() >= giveUpMs)
        throw new StoreUnavailable("Limits are being rebuilt from the journal after a loss of data.");
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /** Requests that were under way at the loss are in no journal yet: the replicas that serve them put them back first. */
  async #requireEndOfQuarantine(bucket: number): Promise<void> {
    const reply = await this.#call("epoch", bucket, []);
    const leftMs = Math.floor(epochOf(reply) / 1_000) + this.#settings.quarantineMs - nowMsOf(reply);
    if (leftMs > 0) throw new StoreUnavailable(`Valkey lost its data; limits are rebuilt from the journal in ${leftMs} ms.`);
  }

  async #write(tenantId: string, bucket: number, known: boolean, epoch: number, token: number): Promise<boolean> {
    const rows = known ? (await this.#history.counters(tenantId)).map(rowOf) : [];
    for (let at = 0; ; at += rowsACall) {
      const last = at + rowsACall >= rows.length;
      const args = [
        tenantId,
        String(epoch),
        String(token),
        JSON.stringify(rows.slice(at, at + rowsACall)),
        last ? "done" : "more",
        known ? "1" : "0",
      ];
      if (numberAt(await this.#call("rebuild", bucket, args), 0) !== 1) return false;
      if (last) return true;
    }
  }
}

function rowOf({ limit, period, used }: RebuiltCounter): readonly (string | number)[] {
  if (!Number.isSafeInteger(used) || used < 0) throw new RangeError(`A counter is a non-negative integer; got ${used}.`);
  const scope = scopeOf(limit);
  return [scope, counterKey(limit.setting), period.label, period.endMs, used, isPassing(scope) ? 1 : 0];
}
