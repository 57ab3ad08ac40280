import { setTimeout as delay } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";
import type { Log } from "../../log.ts";
import { asPostgresStoreError, isAway } from "./postgres-error.ts";
import { connectionConfig } from "./postgres-pool.ts";
import { postgresMigrations, type PostgresMigration } from "./postgres-schema.ts";

const leastServerVersion = 150_000;

/** Any number that nothing else in the database uses: whoever holds this lock is the one who migrates. */
const migrationLock = 0x53747261;

/** Longer than any migration takes, shorter than a wait behind a replica that hangs. */
const lockMs = 60_000;

const retryMs = 250;

/**
 * Brings the schema `strait` to its newest version and says which migrations it took. Safe with any number of replicas
 * at once: one migrates, the others wait for it and find it done. All of it happens or none. A database that is already
 * current is only read, so that the gateway's own user needs no right to change the schema.
 *
 * Waits up to `startWaitMs` for a server that is not there yet.
 * @throws {StoreUnavailable} where it does not come, and {Error} where the schema is newer than this Strait or the
 * server older than PostgreSQL 15.
 */
export async function migratePostgres(url: string, log: Log, startWaitMs = 0): Promise<readonly string[]> {
  const config = migrationConfig(url);
  // Reads the address now: one that cannot be read is no server that might come yet.
  void new Client(config);
  const giveUpMs = performance.now() + startWaitMs;
  for (;;) {
    try {
      return await migrateOnce(config, log);
    } catch (error) {
      if (error instanceof SchemaError) throw error;
      if (!isAway(error) || performance.now() + retryMs > giveUpMs) throw asPostgresStoreError(error);
    }
    await delay(retryMs);
  }
}

/** The migrations that the database lacks, by name, and changes nothing. @throws as `migratePostgres` does. */
export async function missingMigrations(url: string): Promise<readonly string[]> {
  try {
    return await connected(migrationConfig(url), async (client) => {
      await requireVersion(client);
      return postgresMigrations.slice(await storedVersion(client)).map(({ name }) => name);
    });
  } catch (error) {
    throw error instanceof SchemaError ? error : asPostgresStoreError(error);
  }
}

function migrationConfig(url: string): ClientConfig {
  return { ...connectionConfig(url, "strait migrate"), statement_timeout: 0, query_timeout: 0 };
}

async function connected<Result>(config: ClientConfig, work: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client(config);
  // What breaks the connection breaks the statement that runs on it too, and that is where it is reported.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    // Rolls back whatever was not committed; a connection that is gone needs no goodbye.
    await client.end().catch(() => undefined);
  }
}

/** Something that waiting does not mend. */
class SchemaError extends Error {
  override readonly name = "SchemaError";
}

function migrateOnce(config: ClientConfig, log: Log): Promise<readonly string[]> {
  return connected(config, async (client) => {
    await requireVersion(client);
    if ((await storedVersion(client)) === postgresMigrations.length) return [];
    await client.query("BEGIN");
    await client.query(`SET LOCAL lock_timeout = ${lockMs}`);
    await client.query("SELECT pg_advisory_xact_lock($1)", [migrationLock]);
    // Somebody else may have done it while we waited for the lock.
    const version = await storedVersion(client);
    const missing = postgresMigrations.slice(version);
    if (version === 0) await createVersions(client);
    for (const [place, migration] of missing.entries()) await apply(client, version + place + 1, migration);
    await client.query("COMMIT");
    const names = missing.map(({ name }) => name);
    if (names.length > 0)
      log.info("the database was migrated", { from: version, to: postgresMigrations.length, migrations: names.join(", ") });
    return names;
  });
}

async function requireVersion(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>("SELECT current_setting('server_version_num')::int AS version");
  const version = rows[0]?.version ?? 0;
  if (version < leastServerVersion) {
    throw new SchemaError(`Strait needs PostgreSQL 15 or later; this server is ${Math.trunc(version / 10_000)}.`);
  }
}

async function storedVersion(client: Client): Promise<number> {
  // Not `to_regclass`: that answers from the connection's own cache, which does not notice within a transaction what
  // somebody else created while we waited for the lock. Reading a table does.
  const { rows: found } = await client.query(
    "SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'strait' AND relname = 'migration'",
  );
  if (found.length === 0) return 0;
  const { rows } = await client.query<{ version: number }>(
    "SELECT coalesce(max(version), 0)::int AS version FROM strait.migration",
  );
  const version = rows[0]?.version ?? 0;
  // Going on would write rows in a form that the newer process does not expect.
  if (version > postgresMigrations.length) {
    throw new SchemaError(
      `The database has schema version ${version}, newer than ${postgresMigrations.length}. Start the newer Strait that wrote it.`,
    );
  }
  return version;
}

async function createVersions(client: Client): Promise<void> {
  // Not `IF NOT EXISTS` alone: that asks for the right to create even where an operator made the schema beforehand.
  const { rows } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname = 'strait'");
  if (rows.length === 0) await client.query("CREATE SCHEMA strait");
  await client.query(
    "CREATE TABLE IF NOT EXISTS strait.migration (version int PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
  );
}

async function apply(client: Client, version: number, migration: PostgresMigration): Promise<void> {
  for (const statement of migration.statements) await client.query(statement);
  await client.query("INSERT INTO strait.migration (version, name) VALUES ($1, $2)", [version, migration.name]);
}
