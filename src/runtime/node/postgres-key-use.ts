import type { Cancel, Clock } from "../../clock.ts";
import type { KeyUse } from "../sql/key-use.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

const everyMs = 60_000;

/** In order of the key, so that replicas that write the same keys wait for each other and never in a circle. */
const write: Statement = {
  name: "key-use-write",
  text: `INSERT INTO strait.key_use (tenant_id, key_id, last_used_at_ms)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) AS used (tenant_id, key_id, at_ms) ORDER BY 1, 2
    ON CONFLICT (tenant_id, key_id) DO UPDATE SET last_used_at_ms = excluded.last_used_at_ms
    WHERE key_use.last_used_at_ms < excluded.last_used_at_ms`,
};

const read: Statement = {
  name: "key-use-read",
  text: "SELECT key_id, last_used_at_ms::float8 AS at_ms FROM strait.key_use WHERE tenant_id = $1",
};

/** When keys were last used, written once a minute: nothing depends on it, and every request would pay for more. */
export class PostgresKeyUse {
  readonly #pool: PostgresPool;
  readonly #clock: Clock;
  #uses = new Map<string, KeyUse>();
  /** On their way to the database. */
  #leaving = new Map<string, KeyUse>();
  #cancelWrite: Cancel | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(pool: PostgresPool, clock: Clock) {
    this.#pool = pool;
    this.#clock = clock;
  }

  touch(tenantId: string, keyId: string, atMs: number): void {
    const name = `${tenantId}\n${keyId}`;
    const known = this.#uses.get(name);
    if (known !== undefined && known.atMs >= atMs) return;
    this.#uses.set(name, { tenantId, keyId, atMs });
    this.#cancelWrite ??= this.#clock.after(everyMs, () => {
      this.#cancelWrite = undefined;
      this.#write();
    });
  }

  async lastUsed(tenantId: string): Promise<ReadonlyMap<string, number>> {
    const local = [...this.#leaving.values(), ...this.#uses.values()].filter((use) => use.tenantId === tenantId);
    const rows = await this.#pool.repeatable<{ key_id: string; at_ms: number }>(read, [tenantId]);
    const lastUsed = new Map(rows.map((row) => [row.key_id, row.at_ms]));
    for (const { keyId, atMs } of local) lastUsed.set(keyId, Math.max(atMs, lastUsed.get(keyId) ?? 0));
    return lastUsed;
  }

  async close(): Promise<void> {
    this.#cancelWrite?.();
    this.#write();
    await this.#writing;
  }

  /** One at a time: what could not be written goes with the next. */
  #write(): void {
    const before = this.#writing;
    this.#writing = before.then(() => this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = [...this.#uses.values()];
    this.#leaving = this.#uses;
    this.#uses = new Map();
    try {
      await this.#pool.repeatable(write, [
        uses.map(({ tenantId }) => tenantId),
        uses.map(({ keyId }) => keyId),
        uses.map(({ atMs }) => Math.trunc(atMs)),
      ]);
    } catch {
      for (const use of uses) this.touch(use.tenantId, use.keyId, use.atMs);
    }
    this.#leaving = new Map();
  }
}
