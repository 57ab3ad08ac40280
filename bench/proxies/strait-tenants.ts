import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { sha256, systemClock, systemEntropy } from "../../src/runtime/node/clock.ts";
import { SqliteDatabase } from "../../src/runtime/node/sqlite-database.ts";
import { migrate } from "../../src/runtime/sql/database.ts";
import { SqlDirectory } from "../../src/runtime/sql/directory.ts";
import { directoryMigrations } from "../../src/runtime/sql/schema.ts";
import { mintKey } from "../../src/tenant/key.ts";
import type { DirectoryEntry } from "../../src/tenant/tenant.ts";
import { facts, limits } from "./strait-control.ts";
import type { BenchModel } from "./strait-regions.ts";

/** So many in one transaction: one for each would take three times as long. */
const batch = 1000;

/** Writes verified tenants with a key each straight into a directory: by the operators' API, 100,000 would take minutes. Returns the keys. */
export function fillDirectory(dataDirectory: string, tenants: number, model: BenchModel): readonly string[] {
  mkdirSync(dataDirectory, { recursive: true });
  const options = { synchronous: "normal", busyTimeoutMs: 5000, exclusive: true, checkpointThread: false } as const;
  const database = new SqliteDatabase(join(dataDirectory, "directory.sqlite"), options);
  const directory = new SqlDirectory(database);
  database.transact(() => migrate(database, "directory", directoryMigrations));
  const keys: string[] = [];
  while (keys.length < tenants) {
    database.transact(() => {
      for (let index = 0; index < batch && keys.length < tenants; index += 1) {
        const { key, entry } = newTenant(`bench_${keys.length}`, model);
        keys.push(key);
        const { id, createdAt } = entry.tenant;
        const saved = directory.save(entry, {
          id,
          at: createdAt,
          actor: "bench",
          action: "tenant.add",
          tenantId: id,
          detail: {},
        });
        if (!saved) throw new Error("the directory did not take a tenant of the bench");
      }
    });
  }
  database.close();
  return keys;
}

function newTenant(id: string, model: BenchModel): { readonly key: string; readonly entry: DirectoryEntry } {
  const now = new Date(systemClock.nowMs()).toISOString();
  const { key, id: keyId, digest } = mintKey(id, systemEntropy, sha256);
  const entry: DirectoryEntry = {
    revision: 1,
    tenant: {
      id,
      name: id,
      facts,
      verification: { state: "verified", since: now, evidence: "bench" },
      tiers: [model.tier],
      allowCountries: undefined,
      denyCountries: [],
      leastEvidence: undefined,
      oidc: undefined,
      createdAt: now,
    },
    keys: [
      {
        id: keyId,
        name: "bench",
        digest,
        createdAt: now,
        expiresAt: undefined,
        revokedAt: undefined,
        models: undefined,
        surfaces: undefined,
      },
    ],
    limits,
  };
  return { key, entry };
}
