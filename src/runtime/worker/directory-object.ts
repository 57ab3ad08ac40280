import { DurableObject } from "cloudflare:workers";
import { loadedFile, type LoadedBundle } from "../../bundle/loaded-bundles.ts";
import { termsInForce, type RetentionOrder } from "../../control/retention.ts";
import type { PlaceMismatches } from "../../place-mismatches.ts";
import type { ShadowCounts } from "../../shadow-counts.ts";
import type { AuditEntry } from "../../tenant/directory.ts";
import type { DirectoryEntry } from "../../tenant/tenant.ts";
import type { RetentionRun } from "../../retention/retention-run.ts";
import { askEveryMs, deleteEveryMs } from "../../retention/schedule.ts";
import type { RevocationOrder } from "../../revocation/order.ts";
import type { Acknowledgement, Replica } from "../../revocation/path.ts";
import { hex } from "../../tenant/key.ts";
import { SqlBundles } from "../sql/bundles.ts";
import { SqlDirectory } from "../sql/directory.ts";
import { putOffFirstRetention, takeRetentionTurn } from "../sql/retention/retention-run.ts";
import { SqlRevocations } from "../sql/revocations.ts";
import { directoryMigrations, revocationMigrations } from "../sql/schema.ts";
import { systemClock, systemEntropy } from "./clock.ts";
import { DirectoryRetention, retentionMigrations } from "./directory-retention.ts";
import { log } from "./log.ts";
import { News } from "./news.ts";
import { ObjectDatabase } from "./object-database.ts";
import { bundledPolicies, policyKeys } from "./regions.ts";
import { variablesOf } from "./variables.ts";

export interface DirectoryNews {
  readonly orders: readonly RevocationOrder[];
  /** As `BundleRecords.bundleNames`. */
  readonly bundleNames: readonly string[];
}

/** Until what is left of a run is gone on with, where whoever ordered it does not. */
const goOnMs = 5_000;

/**
 * What operators list across tenants: a copy of every entry, and the whole audit; the orders that revoke something; and the
 * policy bundles that were loaded. The
 * truth about a tenant is in the tenant's own object, which tells this one of each change. An isolate that has requests open
 * keeps one question waiting here for news, whatever their number; one that has none asks before it admits.
 *
 * Its alarm deletes once a day, over all tenants, the records that are due.
 */
export class DirectoryObject extends DurableObject {
  readonly #database: ObjectDatabase;
  readonly #directory: SqlDirectory;
  readonly #bundles: SqlBundles;
  readonly #revocations: SqlRevocations;
  /** Of orders, of loaded bundles and of tenants that changed, so that what is open is looked at again. */
  readonly #news = new News(systemClock, systemEntropy);
  readonly #retention: DirectoryRetention;
  /** As stored. */
  #alarmAtMs: number | undefined;

  constructor(state: DurableObjectState, bindings: Cloudflare.Env) {
    super(state, bindings);
    this.#database = new ObjectDatabase(state.storage, {
      directory: directoryMigrations,
      revocation: revocationMigrations,
      retention: retentionMigrations,
    });
    this.#directory = new SqlDirectory(this.#database);
    this.#bundles = new SqlBundles(this.#database);
    this.#revocations = new SqlRevocations(this.#database);
    this.#retention = new DirectoryRetention({
      database: this.#database,
      directory: this.#directory,
      bindings,
      clock: systemClock,
      entropy: systemEntropy,
      log,
    });
    void state.blockConcurrencyWhile(async () => {
      this.#alarmAtMs = (await state.storage.getAlarm()) ?? undefined;
    });
  }

  /** Takes a change over, once: told again of one that it has, it does nothing. Throws where one before it is missing. */
  async take(entry: DirectoryEntry, audit: AuditEntry): Promise<void> {
    // Not at once: whoever has just started a gateway may yet put a tenant under a hold.
    const firstDeletionMs = systemClock.nowMs() + askEveryMs;
    this.#database.transact(() => {
      putOffFirstRetention(this.#database, firstDeletionMs, deleteEveryMs);
      if (this.#directory.save(entry, audit)) return this.#news.tell();
      const known = this.#directory.find(entry.tenant.id)?.revision ?? 0;
      if (known < entry.revision) throw new Error(`revision ${entry.revision} of ${entry.tenant.id} came before ${known + 1}`);
    });
    await this.#armFor(firstDeletionMs);
  }

  async list(after: string | undefined, count: number): Promise<readonly DirectoryEntry[]> {
    return this.#database.read([], () => this.#directory.list(after, count));
  }

  // Revocations.

  /** All that an isolate must know before it admits: the orders, and which bundles were loaded. */
  async readNews(): Promise<DirectoryNews> {
    return this.#database.read({ orders: [], bundleNames: [] }, () => ({
      orders: this.#revocations.read(),
      bundleNames: this.#bundles.names(),
    }));
  }

  async writeRevocation(order: RevocationOrder): Promise<void> {
    this.#database.transact(() => this.#revocations.write(order, systemClock.nowMs()));
    this.#news.tell();
  }

  async acknowledge(acknowledgements: readonly Acknowledgement[]): Promise<void> {
    this.#database.transact(() => this.#revocations.acknowledge(acknowledgements));
  }

  async acknowledgements(orderId: string): Promise<readonly Acknowledgement[]> {
    return this.#database.read([], () => this.#revocations.acknowledgements(orderId));
  }

  async beat(replica: Replica): Promise<number> {
    return this.#database.transact(() => this.#revocations.beat(replica, systemClock.nowMs()));
  }

  async replicas(): Promise<readonly Replica[]> {
    return this.#database.read([], () => this.#revocations.replicas(systemClock.nowMs()));
  }

  /** Resolves with the mark of the latest news: once it is another than `known`, or after `waitMs`. */
  async awaitNews(known: string | undefined, waitMs: number): Promise<string> {
    return this.#news.after(known, waitMs);
  }

  // Policy bundles that were loaded.

  async bundleNames(): Promise<readonly string[]> {
    return this.#database.read([], () => this.#bundles.names());
  }

  async bundles(): Promise<readonly LoadedBundle[]> {
    return this.#database.read([], () => this.#bundles.all());
  }

  async addBundle(bundle: LoadedBundle, audit: AuditEntry): Promise<boolean> {
    return this.#changeBundles(() => this.#bundles.add(bundle), audit);
  }

  async removeBundle(name: string, audit: AuditEntry): Promise<boolean> {
    return this.#changeBundles(() => this.#bundles.remove(name), audit);
  }

  #changeBundles(change: () => boolean, audit: AuditEntry): boolean {
    const changed = this.#database.transact(() => {
      const isChanged = change();
      if (isChanged) this.#directory.note(audit);
      return isChanged;
    });
    if (changed) this.#news.tell();
    return changed;
  }

  async keepShadow(counts: ShadowCounts): Promise<void> {
    this.#database.transact(() => this.#directory.keepShadow(counts));
  }

  async shadows(candidate: string): Promise<readonly ShadowCounts[]> {
    return this.#database.read([], () => this.#directory.shadows(candidate));
  }

  async keepMismatches(found: PlaceMismatches): Promise<void> {
    this.#database.transact(() => this.#directory.keepMismatches(found));
  }

  async mismatches(): Promise<readonly PlaceMismatches[]> {
    return this.#database.read([], () => this.#directory.mismatches());
  }

  async note(audit: AuditEntry): Promise<void> {
    this.#database.transact(() => this.#directory.note(audit));
  }

  async audit(tenantId: string | undefined, count: number): Promise<readonly AuditEntry[]> {
    return this.#database.read([], () => this.#directory.audit(tenantId, count));
  }

  // Retention.

  /** Begins a run, unless one is under way; resolves with the id of the one that is now. */
  async beginRetention(id: string, order: RetentionOrder): Promise<string> {
    await this.#armFor(systemClock.nowMs() + goOnMs);
    return this.#retention.begin(id, order);
  }

  /** Goes on with a run for a while; resolves with what it came to once it has ended. */
  async continueRetention(id: string): Promise<RetentionRun | undefined> {
    return this.#retention.goOn(id);
  }

  /** Takes the turn to delete by schedule. */
  async takeRetentionTurn(betweenMs: number): Promise<boolean> {
    return this.#database.transact(() => takeRetentionTurn(this.#database, systemClock.nowMs(), betweenMs));
  }

  override async alarm(): Promise<void> {
    this.#alarmAtMs = undefined;
    try {
      const underWay = this.#retention.underWay() ?? (await this.#beginBySchedule());
      if (underWay !== undefined) await this.#retention.goOn(underWay);
    } catch (error) {
      log.error("records that are due could not be deleted", { error: String(error) });
    }
    const isOver = this.#retention.underWay() === undefined;
    await this.#armFor(systemClock.nowMs() + (isOver ? askEveryMs : goOnMs));
  }

  async #beginBySchedule(): Promise<string | undefined> {
    if (!(await this.takeRetentionTurn(deleteEveryMs))) return undefined;
    const keys = await policyKeys(variablesOf(this.env)["STRAIT_POLICY_KEYS"]);
    const policies = await bundledPolicies(keys, (await this.bundles()).map(loadedFile));
    const terms = termsInForce({ policies: () => policies, ageClock: systemClock });
    if (terms.ok)
      return this.#retention.begin(hex(systemEntropy.bytes(12)), { terms: terms.value, dryRun: false, actor: "gateway" });
    log.warn("no policy is in force, so no record is deleted");
    return undefined;
  }

  /** Makes sure that an alarm rings at `atMs` or before. */
  #armFor(atMs: number): Promise<void> {
    if (this.#alarmAtMs !== undefined && this.#alarmAtMs <= atMs) return Promise.resolve();
    this.#alarmAtMs = atMs;
    return this.ctx.storage.setAlarm(atMs);
  }
}
