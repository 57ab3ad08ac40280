import { counterKey, scopeOf } from "../../quota/counter.ts";
import type { QuotaHistory, UsedCounter } from "../../quota/history.ts";
import { isPassing } from "../../quota/limit.ts";
import type { Log } from "../../log.ts";
import { StoreUnavailable } from "../../quota/store.ts";
import type { ValkeyCalls } from "./valkey-calls.ts";
import { bucketOf, epochOf, nowMsOf, numberAt, piecesOf, type ValkeyReply } from "./valkey-wire.ts";
import { within } from "./within.ts";

export interface RebuildSettings {
  /** How long after the loss replicas may take to put back what they have open, before anything is admitted. */
  readonly quarantineMs: number;
  /** How long a request waits for it. */
  readonly patienceMs: number;
  /** How long summing may take at first until another replica begins anew, which the first then cannot finish. */
  readonly turnMs: number;
}

const pollMs = 50;
const longestTurnMs = 300_000;
const rowsACall = 500;

/** What `start_sums` answers in place of a token. */
const whole = 0;
const taken = -1;
const tooSoon = -2;
const missing = -3;

export interface RebuildPorts {
  readonly calls: ValkeyCalls;
  readonly history: QuotaHistory;
  /** Who writes to the journal: all that may have admitted a request whose receipt is not in it. */
  readonly roster: () => Promise<readonly string[]>;
  readonly log: Log;
}

/**
 * Makes the counters of a tenant whole after the server lost its data. Whoever first asks for the tenant does it; others
 * wait, whichever replica they are on. The server takes sums from the latest token alone, and only until it has them. It
 * gives none before every writer of the journal has accounted for what it admitted before the loss: a receipt that waits on
 * a machine's disk, or a request that is open on one that stands still, would be missing in the sums.
 */
export class ValkeyRebuild {
  readonly #calls: ValkeyCalls;
  readonly #history: QuotaHistory;
  readonly #roster: RebuildPorts["roster"];
  readonly #log: Log;
  readonly #settings: RebuildSettings;
  readonly #running = new Map<string, Promise<void>>();
  /** Grows where a journal takes longer than a turn, or nobody would ever finish. */
  #turnMs: number;
  readonly #soon = new Map<string, ReturnType<typeof setTimeout>>();
  /** The writers that the log was last told of as missing. */
  #toldOf: string | undefined;

  constructor({ calls, history, roster, log }: RebuildPorts, settings: RebuildSettings) {
    this.#calls = calls;
    this.#history = history;
    this.#roster = roster;
    this.#log = log;
    this.#settings = settings;
    this.#turnMs = settings.turnMs;
  }

  /** @throws {StoreUnavailable} while the tenant has to wait. */
  make(tenantId: string): Promise<void> {
    let running = this.#running.get(tenantId);
    if (running === undefined) {
      running = this.#make(tenantId).finally(() => this.#running.delete(tenantId));
      this.#running.set(tenantId, running);
    }
    return within(running, this.#settings.patienceMs, stillSumming);
  }

  /** Without a request that asks for it, once everybody has put back what is open. */
  makeSoon(tenantId: string): void {
    if (this.#soon.has(tenantId)) return;
    const timer = setTimeout(() => {
      this.#soon.delete(tenantId);
      this.make(tenantId).catch(() => this.makeSoon(tenantId));
    }, this.#settings.quarantineMs + pollMs);
    this.#soon.set(tenantId, timer.unref());
  }

  close(): void {
    for (const timer of this.#soon.values()) clearTimeout(timer);
  }

  async #make(tenantId: string): Promise<void> {
    const bucket = bucketOf(tenantId);
    const { patienceMs } = this.#settings;
    const giveUpMs = performance.now() + patienceMs;
    for (;;) {
      const beganMs = performance.now();
      const begun = await this.#begin(tenantId, bucket);
      const token = numberAt(begun, 3);
      if (token === whole) return;
      if (token === tooSoon) throw new StoreUnavailable("Valkey lost its data; limits are about to be summed from the journal.");
      // Before whoever waits gives up, who is then told why.
      if (token === missing && performance.now() >= giveUpMs - patienceMs / 2)
        throw this.#unaccounted(piecesOf(begun, 1).slice(1).map(String));
      // Whoever lost its turn asks again, and finds it done or gets a new one.
      if (token !== taken && token !== missing && (await this.#write(tenantId, bucket, begun))) return;
      if (performance.now() - beganMs > this.#turnMs) this.#turnMs = Math.min(2 * this.#turnMs, longestTurnMs);
      if (performance.now() >= giveUpMs) throw stillSumming();
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  async #begin(tenantId: string, bucket: number): Promise<ValkeyReply> {
    const { quarantineMs } = this.#settings;
    // Listed after the data began, they are all who can have admitted anything before.
    const epoch = epochOf(await this.#calls.call("epoch", bucket, []));
    const writers = JSON.stringify(await this.#roster());
    return this.#calls.call("start_sums", bucket, [tenantId, String(this.#turnMs), String(quarantineMs), writers, String(epoch)]);
  }

  #unaccounted(writers: readonly string[]): StoreUnavailable {
    const named = writers.join(", ");
    if (this.#toldOf !== named) {
      this.#toldOf = named;
      this.#log.error(
        "nothing is admitted: gateways have not accounted for what they admitted before Valkey lost its data. Start them, or dismiss those that never come back: strait writer dismiss ID",
        { writers: named },
      );
    }
    return new StoreUnavailable(`Limits cannot be summed without what these gateways may have admitted: ${named}.`);
  }

  async #write(tenantId: string, bucket: number, begun: ValkeyReply): Promise<boolean> {
    const [token = "", ...open] = piecesOf(begun, 1).map(([value]) => String(value));
    this.#toldOf = undefined;
    let rows: (readonly (string | number)[])[];
    try {
      rows = (await this.#history.counters(tenantId, nowMsOf(begun), new Set(open))).map(rowOf);
    } catch (error) {
      await this.#calls.call("drop_sums", bucket, [tenantId, token]);
      throw error;
    }
    const lost = rows.length > 0 || open.length > 0 ? "1" : "0";
    for (let at = 0; ; at += rowsACall) {
      const last = at + rowsACall >= rows.length;
      const some = JSON.stringify(rows.slice(at, at + rowsACall));
      const args = [tenantId, String(epochOf(begun)), token, some, last ? "done" : "more", lost];
      if (numberAt(await this.#calls.call("set_sums", bucket, args), 0) !== 1) return false;
      if (last) return true;
    }
  }
}

function stillSumming(): StoreUnavailable {
  return new StoreUnavailable("Limits are being summed from the journal after Valkey lost its data.");
}

function rowOf({ limit, period, used }: UsedCounter): readonly (string | number)[] {
  if (!Number.isSafeInteger(used) || used < 0) throw new RangeError(`A counter is a non-negative integer; got ${used}.`);
  const scope = scopeOf(limit);
  return [scope, counterKey(limit.setting), period.label, period.endMs, used, isPassing(scope) ? 1 : 0];
}
