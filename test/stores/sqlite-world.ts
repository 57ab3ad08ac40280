import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStores, type SqliteStores } from "../../src/runtime/node/sqlite.ts";
import { ManualClock } from "./manual-clock.ts";
import type { RetentionStore } from "../../src/retention/retention-store.ts";
import { worldBeginsMs, type BundleWorld, type LogWorld, type ReaderWorld } from "./store-world.ts";

// Opening and closing a file syncs it to disk a few times; memory makes that free where the system has such a place.
const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

export function temporaryDirectory(): string {
  return mkdtempSync(join(place, "strait-stores-"));
}

/** `gateways` openings of the same two files, as that many processes of one machine have them; calls go to each in turn. */
export function sqliteWorld(gateways: number): ReaderWorld & LogWorld & BundleWorld & { readonly retention: RetentionStore } {
  const directory = temporaryDirectory();
  const clock = new ManualClock(worldBeginsMs);
  const open = (): SqliteStores[] => Array.from({ length: gateways }, () => openSqliteStores(directory, clock));
  let all = open();
  let turn = 0;
  const next = (): SqliteStores => {
    const stores = all[turn++ % all.length];
    if (stores === undefined) throw new Error("no gateway");
    return stores;
  };
  const close = (): void => {
    for (const stores of all) stores.close();
  };
  return {
    quota: {
      reserve: (request) => next().quota.reserve(request),
      settle: (settlement) => next().quota.settle(settlement),
      renew: (tenantId, ids, leaseMs) => next().quota.renew(tenantId, ids, leaseMs),
      expire: (count) => next().quota.expire(count),
      recorded: (tenantId, ids) => next().quota.recorded(tenantId, ids),
      inspect: (tenantId, limits) => next().quota.inspect(tenantId, limits),
    },
    journal: {
      append: (receipt) => next().journal.append(receipt),
      find: (tenantId, requestId) => next().journal.find(tenantId, requestId),
      list: (tenantId, beforeMs, count) => next().journal.list(tenantId, beforeMs, count),
      findResponse: (tenantId, responseId) => next().journal.findResponse(tenantId, responseId),
    },
    refusals: {
      append: (refusal) => next().refusals.append(refusal),
      find: (tenantId, requestId) => next().refusals.find(tenantId, requestId),
    },
    tree: {
      origin: () => next().tree.origin(),
      size: () => next().tree.size(),
      integrate: (most) => next().tree.integrate(most),
      tile: (level, index) => next().tree.tile(level, index),
      place: (tenantId, requestId) => next().tree.place(tenantId, requestId),
      entries: (from, count) => next().tree.entries(from, count),
      checkpoint: (size) => next().tree.checkpoint(size),
      keepCheckpoint: (checkpoint) => next().tree.keepCheckpoint(checkpoint),
    },
    reader: {
      scan: (query) => next().reader.scan(query),
      scanRefusals: (query) => next().reader.scanRefusals(query),
      usage: (query) => next().reader.usage(query),
      completeUntilMs: () => next().reader.completeUntilMs(),
    },
    reservations: { open: (tenantId) => next().reservations.open(tenantId) },
    sumUp: () => next().sumUp(),
    retention: {
      get records() {
        return next().retention.records;
      },
      takeTurn: (everyMs) => next().retention.takeTurn(everyMs),
    },
    books: { close: (receipt, settlement) => next().books.close(receipt, settlement) },
    directory: {
      find: (tenantId) => next().directory.find(tenantId),
      touchKey: (tenantId, keyId, atMs) => next().directory.touchKey(tenantId, keyId, atMs),
      list: (after, count) => next().directory.list(after, count),
      save: (entry, audit) => next().directory.save(entry, audit),
      note: (audit) => next().directory.note(audit),
      keepMismatches: (found) => next().directory.keepMismatches(found),
      mismatches: () => next().directory.mismatches(),
      keepShadow: (counts) => next().directory.keepShadow(counts),
      shadows: (candidate) => next().directory.shadows(candidate),
      lastUsed: (tenantId) => next().directory.lastUsed(tenantId),
      audit: (tenantId, count) => next().directory.audit(tenantId, count),
    },
    bundles: {
      bundleNames: () => next().bundles.bundleNames(),
      bundles: () => next().bundles.bundles(),
      addBundle: (bundle, audit) => next().bundles.addBundle(bundle, audit),
      removeBundle: (name, audit) => next().bundles.removeBundle(name, audit),
    },
    nowMs: () => clock.nowMs(),
    advance: async (byMs) => {
      clock.advance(byMs);
      // What the clock set off is written in the next turn.
      await new Promise((resolve) => setImmediate(resolve));
    },
    restart: () => {
      close();
      all = open();
    },
    close: () => {
      close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
