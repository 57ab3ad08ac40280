import { rmSync } from "node:fs";
import type { JournalReader } from "../../src/ledger/journal-reader.ts";
import type { Log } from "../../src/log.ts";
import type { RetentionStore } from "../../src/retention/retention-store.ts";
import { openPostgresStores, type PostgresStores } from "../../src/runtime/node/postgres.ts";
import type { JournalWriter } from "../../src/runtime/node/postgres-writers.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import type { PostgresServer } from "../support/postgres-server.ts";
import { ManualClock } from "./manual-clock.ts";
import { temporaryDirectory } from "./sqlite-world.ts";
import { worldBeginsMs, type BundleWorld, type LogWorld, type ReaderWorld } from "./store-world.ts";

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The only process of its data directory, with nothing open and nothing that waits but what `more` says. */
export function lonelyWriter(id: string, more: Pick<JournalWriter, "handedOverUntilMs"> & Partial<JournalWriter>): JournalWriter {
  return {
    id,
    dead: () => [],
    whileDead: (work) => work([]),
    holdsRequests: () => Promise.resolve(false),
    receiptsWait: () => false,
    ...more,
  };
}

/** Journal and directory in PostgreSQL, limits beside them in SQLite, as one replica has them. */
export async function postgresWorld(
  server: PostgresServer,
): Promise<ReaderWorld & LogWorld & BundleWorld & { readonly retention: RetentionStore; readonly address: string }> {
  const address = await server.createDatabase();
  const folder = temporaryDirectory();
  const clock = new ManualClock(worldBeginsMs);
  const embedded = openSqliteStores(folder, clock);
  const { quota } = embedded;
  const open = (): Promise<PostgresStores> => openPostgresStores(address, clock, silent, { connections: 4 });
  const read = (opened: PostgresStores): Promise<JournalReader> =>
    opened.openReader(lonelyWriter("writer", { handedOverUntilMs: () => embedded.reader.completeUntilMs() }));
  let stores = await open();
  let reader = await read(stores);
  return {
    address,
    quota,
    reader: {
      scan: (query) => reader.scan(query),
      scanRefusals: (query) => reader.scanRefusals(query),
      usage: (query) => reader.usage(query),
      completeUntilMs: () => reader.completeUntilMs(),
    },
    reservations: embedded.reservations,
    sumUp: () => stores.sumUp(),
    journal: {
      append: (receipt) => stores.journal.append(receipt),
      find: (tenantId, requestId) => stores.journal.find(tenantId, requestId),
      list: (tenantId, beforeMs, count) => stores.journal.list(tenantId, beforeMs, count),
      findResponse: (tenantId, responseId) => stores.journal.findResponse(tenantId, responseId),
    },
    refusals: {
      append: (refusal) => stores.refusals.append(refusal),
      find: (tenantId, requestId) => stores.refusals.find(tenantId, requestId),
    },
    tree: {
      origin: () => stores.tree.origin(),
      size: () => stores.tree.size(),
      integrate: (most) => stores.tree.integrate(most),
      tile: (level, index) => stores.tree.tile(level, index),
      place: (tenantId, requestId) => stores.tree.place(tenantId, requestId),
      entries: (from, count) => stores.tree.entries(from, count),
      checkpoint: (size) => stores.tree.checkpoint(size),
      keepCheckpoint: (checkpoint) => stores.tree.keepCheckpoint(checkpoint),
    },
    retention: {
      get records() {
        return stores.retention.records;
      },
      takeTurn: (everyMs) => stores.retention.takeTurn(everyMs),
    },
    books: {
      async close(receipt, settlement) {
        await stores.journal.append(receipt);
        await quota.settle(settlement);
      },
    },
    directory: {
      find: (tenantId) => stores.directory.find(tenantId),
      touchKey: (tenantId, keyId, atMs) => stores.directory.touchKey(tenantId, keyId, atMs),
      list: (after, count) => stores.directory.list(after, count),
      save: (entry, audit) => stores.directory.save(entry, audit),
      note: (audit) => stores.directory.note(audit),
      keepMismatches: (found) => stores.directory.keepMismatches(found),
      mismatches: () => stores.directory.mismatches(),
      keepShadow: (counts) => stores.directory.keepShadow(counts),
      shadows: (candidate) => stores.directory.shadows(candidate),
      lastUsed: (tenantId) => stores.directory.lastUsed(tenantId),
      audit: (tenantId, count) => stores.directory.audit(tenantId, count),
    },
    bundles: {
      bundleNames: () => stores.bundles.bundleNames(),
      bundles: () => stores.bundles.bundles(),
      addBundle: (bundle, audit) => stores.bundles.addBundle(bundle, audit),
      removeBundle: (name, audit) => stores.bundles.removeBundle(name, audit),
    },
    nowMs: () => clock.nowMs(),
    advance: (byMs) => clock.advance(byMs),
    async restart() {
      await stores.close();
      stores = await open();
      reader = await read(stores);
    },
    async close() {
      await stores.close();
      embedded.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
