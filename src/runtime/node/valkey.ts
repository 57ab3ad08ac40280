import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { OpenReservation, ReservationReader } from "../../ledger/journal-reader.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import type { Log } from "../../log.ts";
import type { QuotaHistory } from "../../quota/history.ts";
import { noIntent, type QuotaStore } from "../../quota/store.ts";
import { ValkeyAccounting, type AccountableWriter } from "./valkey-accounting.ts";
import { readValkeyAddress } from "./valkey-address.ts";
import { ValkeyCalls } from "./valkey-calls.ts";
import { ValkeyConnection } from "./valkey-connection.ts";
import { quotaLibrary } from "./valkey-library.ts";
import { ValkeyQuota } from "./valkey-quota.ts";
import { ValkeyRebuild } from "./valkey-rebuild.ts";
import { ValkeySettlements } from "./valkey-settlements.ts";
import { bucketOf, epochOf, nowMsOf } from "./valkey-wire.ts";

export interface ValkeyOptions {
  /** How long a call may take before whoever asked is refused. */
  readonly commandTimeoutMs: number;
  /** How long a server that is not there is waited for at the start. */
  readonly startWaitMs: number;
  /** Where counters by the day and month come from after a loss of data. Without it they begin at zero. */
  readonly history: QuotaHistory;
  /** All who write to the journal; without whose word nothing is summed. Without it nobody is waited for. */
  readonly roster: () => Promise<readonly string[]>;
  /** How long after a loss nothing is admitted, so that every replica can put back what it has open. */
  readonly quarantineMs: number;
  /** For tests alone, which set the time. */
  readonly testTime: boolean;
}

/** Limits on Valkey or Redis 7 and later, shared by many replicas. */
export interface ValkeyStore {
  readonly quota: QuotaStore;
  /** What is held for requests whose receipt is still to come, of all replicas. */
  readonly reservations: ReservationReader;
  /** The id of the request that is open longest, of all replicas; ids begin with the time. */
  oldestOpen(): Promise<string | undefined>;
  /** When the data that a tenant is counted in began, in microseconds since the Unix epoch: another than before tells of a loss. */
  epoch(tenantId: string): Promise<number>;
  /** Accounts, from here on and after each loss, for what this writer admitted. Once, when it is on the roster. */
  account(writer: AccountableWriter): void;
  close(): void;
}

/** Long enough to sum a month's receipts, short enough that a replica that died at it keeps no tenant waiting for long. */
const turnMs = 10_000;

const defaults: ValkeyOptions = {
  commandTimeoutMs: 500,
  startWaitMs: 15_000,
  history: { counters: () => Promise.resolve([]) },
  roster: () => Promise.resolve([]),
  quarantineMs: 3_000,
  testTime: false,
};

/**
 * Connects to `redis://`, `rediss://`, `valkey://` or `valkeys://`, or to a cluster by several addresses with commas
 * between them, and loads the library of functions.
 *
 * @throws {StoreUnavailable} where no server answers within `startWaitMs`.
 */
export async function openValkeyQuota(url: string, log: Log, options: Partial<ValkeyOptions> = {}): Promise<ValkeyStore> {
  const { commandTimeoutMs, startWaitMs, history, roster, quarantineMs, testTime } = { ...defaults, ...options };
  const settings = { commandTimeoutMs, connectTimeoutMs: 4 * commandTimeoutMs };
  const connection = new ValkeyConnection(readValkeyAddress(url), quotaLibrary(testTime), settings, log);
  const notices = new LossNotices(log);
  const calls = new ValkeyCalls(connection, commandTimeoutMs, (bucket) => {
    notices.add(settlements.putBack(bucket));
    accounting.soon();
  });
  const rebuild = new ValkeyRebuild({ calls, history, roster, log }, { quarantineMs, patienceMs: 4 * commandTimeoutMs, turnMs });
  const settlements = new ValkeySettlements(calls, (tenantId) => rebuild.makeSoon(tenantId), log);
  const accounting = new ValkeyAccounting(calls, settlements, log);
  const quota = new ValkeyQuota(calls, settlements, randomBytes(8).toString("hex"), (tenantId) => rebuild.make(tenantId));
  const close = (): void => {
    rebuild.close();
    accounting.close();
    settlements.close();
    connection.close();
  };
  /** Finds out whether the data are those that were there, and how long ago they began. */
  const greet = async (): Promise<number> => {
    const replies = await Promise.all(calls.everyBucket("epoch", []));
    settlements.putBack();
    await settlements.pay();
    return Math.min(...replies.map((reply) => nowMsOf(reply) - Math.floor(epochOf(reply) / 1_000)));
  };
  try {
    await connection.start(startWaitMs);
    const ageMs = await greet();
    await warnOfEviction(connection, log);
    // Rather than to listen and refuse.
    if (ageMs < quarantineMs) await delay(quarantineMs - ageMs);
  } catch (error) {
    close();
    throw error;
  }
  connection.onBack(() => void greet().catch((error: unknown) => log.warn("Valkey went away again", { error: String(error) })));
  return {
    quota,
    reservations: {
      open: async (tenantId) => (await quota.open(tenantId)).filter(({ intent }) => intent !== noIntent).map(openReservation),
    },
    oldestOpen: () => quota.oldest(),
    epoch: async (tenantId) => epochOf(await calls.call("epoch", bucketOf(tenantId), [])),
    account: (writer) => accounting.start(writer),
    close,
  };
}

/** One line a loss, not one a bucket. */
class LossNotices {
  readonly #log: Log;
  #buckets = 0;
  #putBack = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  add(putBack: number): void {
    if (this.#buckets === 0) setImmediate(() => this.#tell());
    this.#buckets += 1;
    this.#putBack += putBack;
  }

  #tell(): void {
    this.#log.error("Valkey lost its data: limits are summed from the journal", {
      buckets: this.#buckets,
      putBack: this.#putBack,
    });
    this.#buckets = 0;
    this.#putBack = 0;
  }
}

/** A server that drops keys when it is full forgets what tenants used. One that hides its settings is trusted. */
async function warnOfEviction(connection: ValkeyConnection, log: Log): Promise<void> {
  const memory = await connection.info("memory").catch(() => "");
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
  if (policy === undefined || policy === "noeviction") return;
  log.warn("Valkey may drop limits when its memory is full: set maxmemory-policy to noeviction", { policy });
}

function openReservation({ id, hold, intent }: Awaited<ReturnType<ValkeyQuota["open"]>>[number]): OpenReservation {
  const { keyId, model, startedAtMs } = JSON.parse(intent) as Receipt;
  return { requestId: id, keyId, model, startedAtMs, tokens: hold.tokens, microUsd: hold.microUsd };
}
