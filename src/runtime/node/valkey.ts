import { randomBytes } from "node:crypto";
import type { OpenReservation, ReservationReader } from "../../ledger/journal-reader.ts";
import type { Receipt } from "../../ledger/receipt.ts";
import type { Log } from "../../log.ts";
import { noIntent, type QuotaStore } from "../../quota/store.ts";
import { readValkeyAddress } from "./valkey-address.ts";
import { ValkeyConnection } from "./valkey-connection.ts";
import { quotaLibrary } from "./valkey-library.ts";
import { ValkeyQuota } from "./valkey-quota.ts";
import { ValkeyRebuild, type QuotaHistory } from "./valkey-rebuild.ts";

export interface ValkeyOptions {
  /** How long a call may take before whoever asked is refused. */
  readonly commandTimeoutMs: number;
  /** How long a server that is not there is waited for at the start. */
  readonly startWaitMs: number;
  /** Where counters by the day and month come from after a loss of data. Without it they begin at zero. */
  readonly history: QuotaHistory | undefined;
  /** How long after a loss tenants with a history wait until every replica has put back what it has open. */
  readonly quarantineMs: number;
  /** For tests alone: the key in which they set the time. */
  readonly testTimeKey: string | undefined;
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
  /** Makes a tenant's counters whole after a loss, once whoever asks; requests do the same for themselves. */
  rebuild(tenantId: string): Promise<void>;
  close(): void;
}

/** Long enough to sum a month's receipts, short enough that a replica that died at it keeps no tenant waiting. */
const turnMs = 5_000;

const defaults: ValkeyOptions = {
  commandTimeoutMs: 500,
  startWaitMs: 15_000,
  history: undefined,
  quarantineMs: 3_000,
  testTimeKey: undefined,
};

/**
 * Connects to `redis://`, `rediss://`, `valkey://` or `valkeys://`, or to a cluster by several addresses with commas
 * between them, and loads the library of functions.
 *
 * @throws {StoreUnavailable} where no server answers within `startWaitMs`.
 */
export async function openValkeyQuota(url: string, log: Log, options: Partial<ValkeyOptions> = {}): Promise<ValkeyStore> {
  const { commandTimeoutMs, startWaitMs, history, quarantineMs, testTimeKey } = { ...defaults, ...options };
  const settings = { commandTimeoutMs, connectTimeoutMs: 4 * commandTimeoutMs };
  const connection = new ValkeyConnection(readValkeyAddress(url), quotaLibrary(testTimeKey), settings, log);
  const rebuild = history === undefined ? undefined : (tenantId: string): Promise<void> => rebuilding.make(tenantId);
  const quota = new ValkeyQuota(connection, randomBytes(8).toString("hex"), { commandTimeoutMs, rebuild }, log);
  const rebuilding = new ValkeyRebuild(quota.call, history ?? unknownHistory, {
    quarantineMs,
    patienceMs: 4 * commandTimeoutMs,
    turnMs,
  });
  try {
    await connection.start(startWaitMs);
    await quota.greet();
    await warnOfEviction(connection, log);
  } catch (error) {
    connection.close();
    throw error;
  }
  connection.onBack(
    () => void quota.greet().catch((error: unknown) => log.warn("Valkey went away again", { error: String(error) })),
  );
  return {
    quota,
    reservations: {
      open: async (tenantId) => (await quota.open(tenantId)).filter(({ intent }) => intent !== noIntent).map(openReservation),
    },
    oldestOpen: () => quota.oldest(),
    epoch: (tenantId) => quota.epoch(tenantId),
    rebuild: (tenantId) => rebuilding.make(tenantId),
    close: () => connection.close(),
  };
}

const unknownHistory: QuotaHistory = { isKnown: () => Promise.resolve(false), counters: () => Promise.resolve([]) };

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
