/** The ports of the core over Durable Objects. */
import type { BundleRecords } from "../../bundle/loaded-bundles.ts";
import { TooManyGroups, type JournalReader, type ReservationReader } from "../../ledger/journal-reader.ts";
import type { Books, Journal, RefusalJournal } from "../../ledger/journal.ts";
import type { QuotaStore } from "../../quota/store.ts";
import type { AuditEntry, DirectoryAdmin } from "../../tenant/directory.ts";
import type { Logs } from "../../transparency/logs.ts";
import type { Bindings } from "./environment.ts";
import { systemClock } from "./clock.ts";
import type { Later } from "./later.ts";
import { directoryOf, tenantOf, type RemoteDirectory, type RemoteTenant } from "./object-stubs.ts";
import { QueryView } from "./query-view.ts";
import { reach, reachAgain } from "./reach.ts";
import { withShards } from "./shard-stores.ts";
import { tenantQuota } from "./tenant-quota.ts";

export interface ObjectStores {
  readonly quota: QuotaStore;
  readonly journal: Journal;
  /** Receipt and settlement in one transaction. */
  readonly books: Books;
  readonly refusals: RefusalJournal;
  /** The log of one tenant, in its object. */
  readonly logOf: Logs["of"];
  readonly directory: DirectoryAdmin;
  /** Policy bundles that were loaded. */
  readonly bundles: BundleRecords;
  /** One tenant's from its object; across tenants from the query view. */
  readonly reader: JournalReader;
  readonly reservations: ReservationReader;
}

const keyUseEveryMs = 60_000;
/** Beyond it everything is forgotten, and each key in use is written once more. */
const keptKeyUses = 10_000;

type StoreBindings = Pick<Bindings, "TENANTS" | "SHARDS" | "DIRECTORY" | "VIEW">;

/** One call is one call to the tenant's object, or for a tenant with slices to one of its shards. */
export function openObjectStores(bindings: StoreBindings, later: Later): ObjectStores {
  return withShards(tenantStores(bindings, later), bindings);
}

function tenantStores(bindings: StoreBindings, later: Later): ObjectStores {
  const ask = <Result>(tenantId: string, call: (tenant: RemoteTenant) => Promise<Result>): Promise<Result> =>
    reach(() => call(tenantOf(bindings, tenantId)));
  const askAgain = <Result>(tenantId: string, call: (tenant: RemoteTenant) => Promise<Result>): Promise<Result> =>
    reachAgain(() => call(tenantOf(bindings, tenantId)));
  const askAll = <Result>(call: (directory: RemoteDirectory) => Promise<Result>): Promise<Result> =>
    reachAgain(() => call(directoryOf(bindings)));
  const askOnce = <Result>(call: (directory: RemoteDirectory) => Promise<Result>): Promise<Result> =>
    reach(() => call(directoryOf(bindings)));

  const view = new QueryView(bindings.VIEW).reader(() => systemClock.nowMs());

  return {
    quota: tenantQuota(bindings),
    journal: {
      append: (receipt) => askAgain(receipt.tenantId, (tenant) => tenant.append(receipt)),
      find: (tenantId, requestId) => askAgain(tenantId, (tenant) => tenant.findReceipt(tenantId, requestId)),
      list: (tenantId, beforeMs, count) => askAgain(tenantId, (tenant) => tenant.listReceipts(tenantId, beforeMs, count)),
      findResponse: (tenantId, responseId) => askAgain(tenantId, (tenant) => tenant.findResponse(tenantId, responseId)),
    },
    refusals: {
      append: (refusal) => askAgain(refusal.tenantId, (tenant) => tenant.appendRefusal(refusal)),
      find: (tenantId, requestId) => askAgain(tenantId, (tenant) => tenant.findRefusal(tenantId, requestId)),
    },
    logOf: (tenantId) => ({
      prove: (_, requestId) => askAgain(tenantId, (tenant) => tenant.prove(tenantId, requestId)),
      checkpoint: () => askAgain(tenantId, (tenant) => tenant.checkpoint()),
      consistency: (size, laterSize) => askAgain(tenantId, (tenant) => tenant.consistency(size, laterSize)),
      shown: (from, count) => askAgain(tenantId, (tenant) => tenant.shown(from, count)),
    }),
    books: {
      close: (receipt, settlement) => askAgain(receipt.tenantId, (tenant) => tenant.close(receipt, settlement)),
    },
    reader: {
      scan: (query) =>
        query.tenantId === undefined ? view.scan(query) : askAgain(query.tenantId, (tenant) => tenant.scan(query)),
      scanRefusals: (query) =>
        query.tenantId === undefined
          ? view.scanRefusals(query)
          : askAgain(query.tenantId, (tenant) => tenant.scanRefusals(query)),
      async usage(query) {
        if (query.tenantId === undefined) return view.usage(query);
        const rows = await askAgain(query.tenantId, (tenant) => tenant.usage(query));
        if (rows === undefined) throw new TooManyGroups(query.most);
        return rows;
      },
      completeUntilMs: () => view.completeUntilMs(),
    },
    reservations: { open: (tenantId) => askAgain(tenantId, (tenant) => tenant.openReservations(tenantId)) },
    bundles: {
      bundleNames: () => askAll((directory) => directory.bundleNames()),
      bundles: () => askAll((directory) => directory.bundles()),
      addBundle: (bundle, audit) => askOnce((directory) => directory.addBundle(bundle, audit)),
      removeBundle: (name, audit) => askOnce((directory) => directory.removeBundle(name, audit)),
    },
    directory: {
      find: (tenantId) => askAgain(tenantId, (tenant) => tenant.find(tenantId)),
      touchKey: keyToucher((tenantId, keyId, atMs) =>
        later(ask(tenantId, (tenant) => tenant.touchKey(tenantId, keyId, atMs)).catch(() => undefined)),
      ),
      list: (after, count) => askAll((directory) => directory.list(after, count)),
      save: (entry, audit) => ask(entry.tenant.id, (tenant) => tenant.save(entry, audit)),
      note: (audit) => askAll((directory) => directory.note(audit)),
      keepMismatches: (found) => askAll((directory) => directory.keepMismatches(found)),
      mismatches: () => askAll((directory) => directory.mismatches()),
      keepShadow: (counts) => {
        const kept = askAll((directory) => directory.keepShadow(counts));
        later(kept.catch(() => undefined));
        return kept;
      },
      shadows: (candidate) => askAll((directory) => directory.shadows(candidate)),
      lastUsed: (tenantId) => askAgain(tenantId, (tenant) => tenant.lastUsed(tenantId)),
      async audit(tenantId, count) {
        const told = await askAll((directory) => directory.audit(tenantId, count));
        if (tenantId === undefined || tenantId === "*") return told;
        return newest([...(await askAgain(tenantId, (tenant) => tenant.audit(tenantId, count))), ...told], count);
      },
    },
  };
}

/**
 * Of a tenant's audit, which its own object has at once, and the directory object soon; there alone is what changes nothing
 * of the tenant, as an order that names it.
 */
function newest(entries: readonly AuditEntry[], count: number): readonly AuditEntry[] {
  const each = new Map(entries.map((entry) => [entry.id, entry]));
  return [...each.values()].toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, count);
}

/** Writes a key's use at most once a minute from here: a call for each request would double what the object has to do. */
function keyToucher(write: (tenantId: string, keyId: string, atMs: number) => void): DirectoryAdmin["touchKey"] {
  const writtenAtMs = new Map<string, number>();
  return (tenantId, keyId, atMs) => {
    const name = `${tenantId}\n${keyId}`;
    if (atMs - (writtenAtMs.get(name) ?? Number.NEGATIVE_INFINITY) < keyUseEveryMs) return;
    if (writtenAtMs.size >= keptKeyUses) writtenAtMs.clear();
    writtenAtMs.set(name, atMs);
    write(tenantId, keyId, atMs);
  };
}
