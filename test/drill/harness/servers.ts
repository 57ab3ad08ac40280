import type { ChildProcess } from "node:child_process";
import type { Children } from "../../../bench/children.ts";
import { newLogKey } from "../../../src/runtime/node/log-key.ts";
import { isPostgresInstalled, PostgresServer } from "../../support/postgres-server.ts";
import { isValkeyInstalled, ValkeyServer } from "../../support/valkey-server.ts";
import type { ServerProgram } from "../drill.ts";

/** Those of `needed` that cannot be started here, as a person would look for them. */
export function missingServers(needed: readonly ServerProgram[]): readonly string[] {
  const missing: string[] = [];
  if (needed.includes("postgres") && !isPostgresInstalled) missing.push("PostgreSQL 15 or later");
  if (needed.includes("valkey") && !isValkeyInstalled) missing.push("Valkey, or Redis 7 or later");
  return missing;
}

/** The stores that replicas share. */
export interface SharedStores {
  readonly valkey: ValkeyServer;
  readonly postgres: PostgresServer;
  readonly databaseUrl: string;
  /** The settings that lead a gateway to them. */
  readonly variables: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** All their processes become the run's own, which outlive it in no case. */
export async function startSharedStores(children: Children): Promise<SharedStores> {
  const onSpawn = (child: ChildProcess): unknown => children.own(child);
  const valkey = await ValkeyServer.start({ onSpawn });
  const postgres = await PostgresServer.start(onSpawn);
  const databaseUrl = await postgres.createDatabase();
  return {
    valkey,
    postgres,
    databaseUrl,
    variables: {
      STRAIT_QUOTA_URL: valkey.address,
      STRAIT_DATABASE_URL: databaseUrl,
      STRAIT_LOG_KEY: JSON.stringify(newLogKey(0)),
    },
    async stop() {
      await Promise.all([valkey.stop(), postgres.stop()]);
    },
  };
}
