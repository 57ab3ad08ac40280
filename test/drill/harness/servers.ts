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

export async function startSharedStores(): Promise<SharedStores> {
  const valkey = await ValkeyServer.start();
  const postgres = await PostgresServer.start();
  const databaseUrl = await postgres.createDatabase();
  return {
    valkey,
    postgres,
    databaseUrl,
    variables: { STRAIT_QUOTA_URL: valkey.address, STRAIT_DATABASE_URL: databaseUrl },
    async stop() {
      await Promise.all([valkey.stop(), postgres.stop()]);
    },
  };
}
