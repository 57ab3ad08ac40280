import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import type { Receipt } from "../../../src/ledger/receipt.ts";
import { sha256 } from "../../../src/runtime/node/clock.ts";
import { endUserHash } from "../../../src/tenant/end-user.ts";
import type { DirectoryEntry } from "../../../src/tenant/tenant.ts";
import type { PostgresServer } from "../../support/postgres-server.ts";

/** The receipts of a tenant, read past the gateway, by the marker of the request that each is of. */
export interface Books {
  of(marker: string): readonly Receipt[];
  readonly receipts: readonly Receipt[];
}

/** Of a gateway that is stopped. */
export function readEmbeddedBooks(dataDir: string, tenantId: string): Books {
  const directory = new DatabaseSync(join(dataDir, "directory.sqlite"), { readOnly: true });
  const ledger = new DatabaseSync(join(dataDir, "ledger.sqlite"), { readOnly: true });
  try {
    const tenant = directory.prepare("SELECT document FROM tenant WHERE id = ?").get(tenantId);
    const receipts = ledger.prepare("SELECT document FROM receipt WHERE tenant_id = ?").all(tenantId);
    return booksOf(
      JSON.parse(String(tenant?.["document"])) as DirectoryEntry,
      receipts.map((row) => JSON.parse(String(row["document"])) as Receipt),
    );
  } finally {
    directory.close();
    ledger.close();
  }
}

export async function readSharedBooks(server: PostgresServer, databaseUrl: string, tenantId: string): Promise<Books> {
  const [tenant] = await server.query<{ document: DirectoryEntry }>(
    "SELECT document FROM strait.tenant WHERE id = $1",
    [tenantId],
    databaseUrl,
  );
  const receipts = await server.query<{ document: Receipt }>(
    "SELECT document FROM strait.receipt WHERE tenant_id = $1",
    [tenantId],
    databaseUrl,
  );
  if (tenant === undefined) throw new Error(`PostgreSQL knows no tenant ${tenantId}`);
  return booksOf(
    tenant.document,
    receipts.map(({ document }) => document),
  );
}

function booksOf({ tenant }: DirectoryEntry, receipts: readonly Receipt[]): Books {
  const byEndUser = Map.groupBy(receipts, (receipt) => receipt.endUser);
  return { receipts, of: (marker) => byEndUser.get(endUserHash(tenant, marker, sha256)) ?? [] };
}
