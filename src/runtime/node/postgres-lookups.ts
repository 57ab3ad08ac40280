import type { DirectoryEntry } from "../../tenant/tenant.ts";
import { PostgresBatch } from "./postgres-batch.ts";
import type { PostgresPool, Statement } from "./postgres-pool.ts";

/** An entry as the database had it. */
export interface Found {
  readonly entry: DirectoryEntry;
  /** Drawn anew by every write. */
  readonly version: string;
}

interface Lookup {
  readonly tenantId: string;
  /** What is known already: where its version is still the stored one, the document is not sent again. */
  readonly known: Found | undefined;
  readonly sent: () => void;
  readonly resolve: (found: Found | undefined) => void;
  readonly reject: (error: unknown) => void;
}

interface TenantRow {
  readonly id: string;
  readonly version: string;
  readonly document: DirectoryEntry | null;
}

const lookUp: Statement = {
  name: "tenant-look-up",
  text: `SELECT tenant.id, tenant.version, CASE WHEN tenant.version IS DISTINCT FROM asked.version THEN tenant.document END AS document
    FROM unnest($1::text[], $2::uuid[]) AS asked (id, version) JOIN strait.tenant ON tenant.id = asked.id`,
};

const lanes = 2;
const mostLookups = 500;

/** Directory entries by id, all that one turn of the event loop asks for in one statement. */
export class PostgresLookups {
  readonly #pool: PostgresPool;
  readonly #batch: PostgresBatch<Lookup>;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
    this.#batch = new PostgresBatch((lookups) => this.#send(lookups), lanes, mostLookups);
  }

  /** Asks the database. `sent` is called when the question leaves: what is committed later may be missing from the answer. */
  ask(tenantId: string, known: Found | undefined, sent: () => void): Promise<Found | undefined> {
    return new Promise((resolve, reject) => {
      this.#batch.add({ tenantId, known, sent, resolve, reject });
    });
  }

  async #send(lookups: readonly Lookup[]): Promise<void> {
    for (const { sent } of lookups) sent();
    try {
      const rows = await this.#pool.repeatable<TenantRow>(lookUp, [
        lookups.map(({ tenantId }) => tenantId),
        lookups.map(({ known }) => known?.version ?? null),
      ]);
      for (const lookup of lookups) lookup.resolve(answerTo(lookup, rows));
    } catch (error) {
      for (const lookup of lookups) lookup.reject(error);
    }
  }
}

/** An id may be asked for twice in a batch, with different versions known; the row that fits has the document or repeats the version. */
function answerTo({ tenantId, known }: Lookup, rows: readonly TenantRow[]): Found | undefined {
  const row = rows.find(({ id, document, version }) => id === tenantId && (document !== null || version === known?.version));
  if (row === undefined) return undefined;
  if (row.version === known?.version) return known;
  return row.document === null ? undefined : { entry: deepFreeze(row.document), version: row.version };
}

/** Policy remembers by identity what it decided, so that nobody may change an entry that it has seen. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const member of Object.values(value)) deepFreeze(member);
  return Object.freeze(value);
}
