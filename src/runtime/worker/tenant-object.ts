import { DurableObject } from "cloudflare:workers";
import { TooManyGroups, type OpenReservation, type ScanQuery, type UsageQuery } from "../../ledger/journal-reader.ts";
import { sweepExpired } from "../../ledger/sweep.ts";
import type { Receipt, RefusalReceipt } from "../../ledger/receipt.ts";
import type { UsageRow } from "../../ledger/usage-sums.ts";
import type { AppliedLimit } from "../../quota/limit.ts";
import type { ExpiredReservation, LimitState, ReservationRequest, ReserveOutcome, Settlement } from "../../quota/store.ts";
import type { AuditEntry } from "../../tenant/directory.ts";
import type { RetentionPlace, RetentionStep } from "../../retention/apply-retention.ts";
import type { RetentionTerms } from "../../retention/retention-terms.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import type { ShownEntry } from "../../transparency/audit-log.ts";
import type { LogStore, StoredCheckpoint } from "../../transparency/log-store.ts";
import type { ConsistencyProof } from "../../transparency/consistency-proof.ts";
import type { Proved } from "../../transparency/transparency-log.ts";
import { SqlDirectory } from "../sql/directory.ts";
import { SqlKeyUse } from "../sql/key-use.ts";
import { directoryMigrations, ledgerMigrations } from "../sql/schema.ts";
import { systemClock } from "./clock.ts";
import { HandOver, handOverMigrations, type HandOverTarget } from "./hand-over.ts";
import { askShards, directoryOf } from "./object-stubs.ts";
import { log } from "./log.ts";
import { ObjectDatabase } from "./object-database.ts";
import { Outbox, outboxMigrations } from "./outbox.ts";
import { QueryView } from "./query-view.ts";
import { openTenantLedger, type TenantLedger } from "./tenant-ledger.ts";
import { TenantLog } from "./tenant-log.ts";
import { TenantRetention } from "./tenant-retention.ts";
import { variablesOf } from "./variables.ts";

/** After a failure, and at the least between two alarms. */
const retryMs = 5_000;

/** How long receipts gather before they are handed over to the query view. */
const handOverMs = 5_000;

/** How long receipts gather before they are taken into the log and signed. */
const checkpointMs = 1_000;

/** How soon the view is told that a tenant is at work: far less than the time that it allows for it. */
const announceMs = 1_000;

/**
 * All that is known of one tenant: its directory entry and audit, its keys' use, its limits and what is held against
 * them, its receipts. Everything is in its SQLite, because an object may be evicted between any two calls: what stands
 * in memory is only read again when it is missing.
 *
 * Its alarm takes back reservations whose gateway died, and tells the directory object what it could not be told before.
 */
export class TenantObject extends DurableObject {
  readonly #database: ObjectDatabase;
  readonly #directory: SqlDirectory;
  readonly #keyUse: SqlKeyUse;
  readonly #outbox: Outbox;
  readonly #ledger: TenantLedger;
  protected readonly tree: LogStore;
  readonly #handOver: HandOver;
  readonly #log: TenantLog;
  readonly #retention: TenantRetention;
  /** As stored; kept so that not every reservation asks for it. */
  #alarmAtMs: number | undefined;

  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, bindings);
    this.#database = new ObjectDatabase(state.storage, {
      directory: directoryMigrations,
      ledger: ledgerMigrations,
      outbox: outboxMigrations,
      handOver: handOverMigrations,
    });
    this.#directory = new SqlDirectory(this.#database);
    this.#keyUse = new SqlKeyUse(this.#database);
    this.#outbox = new Outbox(this.#database);
    this.#ledger = openTenantLedger(this.#database, systemClock);
    this.tree = this.#ledger.tree;
    this.#log = new TenantLog(this.tree, variablesOf(bindings));
    const view = new QueryView(bindings.VIEW);
    this.#handOver = new HandOver(this.#database, viewTarget(view, this.#ledger), true);
    this.#retention = new TenantRetention({
      database: this.#database,
      directory: this.#directory,
      handOver: this.#handOver,
      view,
      clock: systemClock,
    });
    void state.blockConcurrencyWhile(async () => {
      this.#alarmAtMs = (await state.storage.getAlarm()) ?? undefined;
    });
  }

  // The directory.

  async find(tenantId: string): Promise<DirectoryEntry | undefined> {
    return this.#database.read(undefined, () => this.#directory.find(tenantId));
  }

  async save(entry: DirectoryEntry, audit: AuditEntry): Promise<boolean> {
    const saved = this.#database.transact(() => {
      if (!this.#directory.save(entry, audit)) return false;
      this.#outbox.add(entry, audit);
      return true;
    });
    if (saved) await this.#tell();
    return saved;
  }

  async audit(tenantId: string, count: number): Promise<readonly AuditEntry[]> {
    return this.#database.read([], () => this.#directory.audit(tenantId, count));
  }

  async touchKey(tenantId: string, keyId: string, atMs: number): Promise<void> {
    this.#database.transact(() => this.#keyUse.write([{ tenantId, keyId, atMs }]));
  }

  async lastUsed(tenantId: string): Promise<ReadonlyMap<string, number>> {
    return this.#database.read(new Map(), () => this.#keyUse.lastUsed(tenantId));
  }

  // Limits.

  async reserve(request: ReservationRequest): Promise<ReserveOutcome> {
    // Before the hold: a hold that no alarm looks after would outlive a gateway that dies.
    const armed = this.#armFor(systemClock.nowMs() + request.leaseMs);
    const outcome = await this.#ledger.quota.reserve(request);
    await armed;
    await this.#announce(request.tenantId);
    return outcome;
  }

  async settle(settlement: Settlement): Promise<boolean> {
    return this.#ledger.quota.settle(settlement);
  }

  async renew(tenantId: string, ids: readonly string[], leaseMs: number): Promise<void> {
    return this.#ledger.quota.renew(tenantId, ids, leaseMs);
  }

  async expire(count: number): Promise<readonly ExpiredReservation[]> {
    return this.#ledger.quota.expire(count);
  }

  async recorded(tenantId: string, ids: readonly string[]): Promise<void> {
    return this.#ledger.quota.recorded(tenantId, ids);
  }

  async inspect(tenantId: string, limits: readonly AppliedLimit[]): Promise<readonly LimitState[]> {
    return this.#ledger.quota.inspect(tenantId, limits);
  }

  // Receipts.

  async append(receipt: Receipt): Promise<void> {
    await this.#ledger.journal.append(receipt);
    await this.#armFor(systemClock.nowMs() + checkpointMs);
    await this.#announce(receipt.tenantId);
  }

  /** From a shard, in order. */
  async take(receipts: readonly Receipt[]): Promise<void> {
    for (const receipt of receipts) await this.append(receipt);
  }

  async findReceipt(tenantId: string, requestId: string): Promise<Receipt | undefined> {
    return this.#ledger.journal.find(tenantId, requestId);
  }

  async listReceipts(tenantId: string, beforeMs: number | undefined, count: number): Promise<readonly Receipt[]> {
    return this.#ledger.journal.list(tenantId, beforeMs, count);
  }

  async findResponse(tenantId: string, responseId: string): Promise<Receipt | undefined> {
    return this.#ledger.journal.findResponse(tenantId, responseId);
  }

  async close(receipt: Receipt, settlement: Settlement): Promise<void> {
    await this.#ledger.books.close(receipt, settlement);
    await this.#armFor(systemClock.nowMs() + checkpointMs);
    await this.#announce(receipt.tenantId);
  }

  // Refusals, and the log over both.

  async appendRefusal(refusal: RefusalReceipt): Promise<void> {
    await this.#ledger.refusals.append(refusal);
    await this.#armFor(systemClock.nowMs() + checkpointMs);
  }

  async findRefusal(tenantId: string, requestId: string): Promise<RefusalReceipt | undefined> {
    return this.#ledger.refusals.find(tenantId, requestId);
  }

  async prove(tenantId: string, requestId: string): Promise<Proved> {
    return (await this.#log.open()).prove(tenantId, requestId);
  }

  async checkpoint(): Promise<StoredCheckpoint> {
    return (await this.#log.open()).checkpoint();
  }

  async consistency(size: number, laterSize?: number): Promise<ConsistencyProof | undefined> {
    return (await this.#log.open()).consistency(size, laterSize);
  }

  async shown(from: number, count: number): Promise<readonly ShownEntry[]> {
    return (await this.#log.open()).shown(from, count);
  }

  // Usage and exports.

  async scan(query: ScanQuery): Promise<readonly Receipt[]> {
    return this.#ledger.reader.scan(query);
  }

  async scanRefusals(query: ScanQuery): Promise<readonly RefusalReceipt[]> {
    return (await this.#ledger.reader.scanRefusals(query)) ?? [];
  }

  /** `undefined` where there are too many groups: an error would lose its kind on the way. */
  async usage(query: UsageQuery): Promise<readonly UsageRow[] | undefined> {
    try {
      return await this.#ledger.reader.usage(query);
    } catch (error) {
      if (error instanceof TooManyGroups) return undefined;
      throw error;
    }
  }

  async openReservations(tenantId: string): Promise<readonly OpenReservation[]> {
    return this.#ledger.reader.open(tenantId);
  }

  // Retention.

  /** Deletes what is due of the tenant, or counts it: a part of it, from `at` on; `next` says where to go on. */
  async applyRetention(tenantId: string, terms: RetentionTerms, dryRun: boolean, at?: RetentionPlace): Promise<RetentionStep> {
    if (at === undefined) {
      // Whatever shards still have comes first: handed over after it was deleted here, it would be a receipt anew.
      await askShards(this.env, tenantId, (shard) => shard.handOver());
      // What the view has not been handed yet is not deleted.
      await this.handOver();
    }
    return this.#retention.step(tenantId, terms, dryRun, at);
  }

  /** Deletes entries of the tenant's audit, by their ids; false where a legal hold keeps them. */
  async forgetAudit(tenantId: string, ids: readonly string[]): Promise<boolean> {
    return this.#retention.forgetAudit(tenantId, ids);
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = undefined;
    try {
      await sweepExpired(this.#ledger.quota, this.#ledger.journal, log);
    } catch (error) {
      log.error("sweeping failed and is tried again", { error: String(error) });
      await this.#armFor(systemClock.nowMs() + retryMs);
    }
    await this.#sign();
    await this.#tell();
    await this.handOver();
    const nextMs = this.#ledger.nextExpiryMs();
    if (nextMs !== undefined) await this.#armFor(Math.max(nextMs, systemClock.nowMs() + 1_000));
  }

  async #sign(): Promise<void> {
    try {
      await (await this.#log.open()).advance();
    } catch (error) {
      log.error("the log of receipts could not be brought up to date and is tried again", { error: String(error) });
      await this.#armFor(systemClock.nowMs() + retryMs);
    }
  }

  /** Tells the directory object of every change that it does not have, in order; what fails is told again later. */
  async #tell(): Promise<void> {
    try {
      for (const { sequence, entry, audit } of this.#database.read([], () => this.#outbox.waiting())) {
        await directoryOf(this.env).take(entry, audit);
        this.#database.transact(() => this.#outbox.told(sequence));
      }
    } catch (error) {
      log.warn("the directory object could not be told of a change and is told later", { error: String(error) });
      await this.#armFor(systemClock.nowMs() + retryMs);
    }
  }

  /** Sees to it that the query view hears of this tenant's work soon, whatever becomes of it. */
  async #announce(tenantId: string): Promise<void> {
    if (this.#handOver.announce(tenantId)) await this.#armFor(systemClock.nowMs() + announceMs);
  }

  /** Resolves with whether there will be more to hand over. */
  protected async handOver(): Promise<boolean> {
    try {
      const more = await this.#handOver.run();
      if (more) await this.#armFor(systemClock.nowMs() + handOverMs);
      return more;
    } catch (error) {
      log.warn("receipts could not be handed over to the query view and are handed over later", { error: String(error) });
      await this.#armFor(systemClock.nowMs() + retryMs);
      return true;
    }
  }

  /** Makes sure that an alarm rings at `atMs` or before. */
  #armFor(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== undefined && this.#alarmAtMs <= atMs) return Promise.resolve();
    this.#alarmAtMs = atMs;
    return this.ctx.storage.setAlarm(atMs);
  }
}

/** Receipts go to the view with the sums that they are in. */
function viewTarget(view: QueryView, ledger: TenantLedger): HandOverTarget {
  return {
    async take(documents) {
      const receipts = documents.map((document) => JSON.parse(document) as Receipt);
      await view.take(documents, await ledger.slicesOf(receipts));
    },
    waits: (name, sinceMs) => view.waits(name, sinceMs),
  };
}
