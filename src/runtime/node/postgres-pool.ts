import { Pool, type ClientConfig, type QueryResultRow } from "pg";
import type { Log } from "../../log.ts";
import { asPostgresStoreError, isWorthRepeating } from "./postgres-error.ts";

/** When the server gives up on a statement. The client does so a little later, for a server that says nothing at all. */
const statementMs = 5_000;
const silenceMs = 1_000;
const connectMs = 3_000;

/**
 * How to reach the database. PostgreSQL's own addresses all work: `postgres://user:password@host:5432/database`, with
 * `?sslmode=verify-full`, or `?host=/run/postgresql` for a socket.
 *
 * @throws {Error} without the address in it, since that holds the password.
 */
export function connectionConfig(url: string, applicationName: string, timeoutMs: number = statementMs): ClientConfig {
  if (!/^postgres(?:ql)?:\/\//.test(url)) {
    throw new Error(
      "The database's address must begin with postgres:// or postgresql://, as in postgres://user:password@host:5432/database.",
    );
  }
  return {
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: connectMs,
    statement_timeout: timeoutMs,
    query_timeout: timeoutMs + silenceMs,
    keepAlive: true,
  };
}

/** A statement that the server keeps prepared on each connection under its name. Values are bound, never written into it. */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

/** The connections of one process. All errors come out as a store's errors. */
export class PostgresPool {
  readonly #pool: Pool;

  constructor(url: string, connections: number, log: Log, timeoutMs?: number) {
    this.#pool = new Pool({ ...connectionConfig(url, "strait", timeoutMs), max: connections, idleTimeoutMillis: 60_000 });
    // Without a listener, a server that goes away while nobody asks it anything would end the process.
    this.#pool.on("error", (error) => log.warn("a connection to PostgreSQL was lost", { error: error.message }));
  }

  /**
   * Rows of a statement that may be run twice: where the connection broke, or the server asked for it, it is run once
   * more, because after a restart every connection of the pool is broken once.
   */
  async repeatable<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await this.#query<Row>(statement, values);
    } catch (error) {
      if (!isWorthRepeating(error) || this.#pool.ending) throw asPostgresStoreError(error);
    }
    return this.once(statement, values);
  }

  /** Rows of a statement that must not be run twice. When it fails, it may yet have been done. */
  async once<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    try {
      return await this.#query<Row>(statement, values);
    } catch (error) {
      throw asPostgresStoreError(error);
    }
  }

  async close(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }

  async #query<Row extends QueryResultRow>(statement: Statement, values: readonly unknown[]): Promise<readonly Row[]> {
    const result = await this.#pool.query<Row>({ name: statement.name, text: statement.text, values: [...values] });
    return result.rows;
  }
}
