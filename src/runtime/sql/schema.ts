import type { Migration } from "./database.ts";

/**
 * The stored form. A migration that was released is never edited; a change is one more at the end.
 *
 * - `counter_group`: the counters of a tenant that share a scope (all of it, one key, one model, one key with one model)
 *   in one row, as JSON `[[key, used, held, mark, rate, endsMs], …]` of `quota/counter.ts`: a request falls under several
 *   limits and mostly one or two scopes, and a row costs the same to write however many counters it carries. `idle_at_ms`,
 *   for scopes that there is no end of: when the row is back to nothing and may go; null where it stays or holds something.
 * - `reservation`: what is held. `state` 0 open, 1 expired and not yet in the journal, 2 expired and recorded, kept for
 *   a late settlement. `holds` is JSON `[[scope, key, unit, window, amount, mark], …]`. Open ones are in no index beside
 *   their id: they come and go with every request, and every page that a commit changes is written whole. There are never
 *   more of them than requests in flight, so that looking for overdue ones may read them all. By row id, because a table
 *   without them would put an intent on a page of its own.
 * - `receipt`: one exchange each; `document` is the receipt as JSON. Appending by row id keeps large documents out of the
 *   indexes. `usage` is what it adds to `usage_slice`, as `usage-entry.ts` has it; null while it is unsettled, and in rows
 *   from before there was this column.
 * - `key_use`: when a key was last used.
 * - `usage_slice`: sums over receipts of one quarter of an hour since the epoch, apart by what usage is asked by; `region`
 *   is empty where none was reached. Receipts up to the row id in `reading_progress` are in it, save those that are
 *   unsettled: they are still to change.
 * - `receipt_order`: the receipts of all tenants by time, up to the same row id. A receipt that moved leaves an entry behind
 *   that leads nowhere. This and the slices are written behind, in large batches, so that no request pays for them.
 *
 * - `receipt_earlier`: unsettled receipts that gave way to one that knows more, as they were and under the row id that they
 *   had: the tree holds both.
 * - `refusal`: what was refused before anything was held for it; `document` as in `receipt`. Apart, so that no sum of use or
 *   money can count it.
 * - `tree_state`: the tree's name, its size, and up to which row id of each journal table its entries go. Receipts from
 *   before there was a tree are not in it, for they are not in canonical form.
 * - `tree_run`: which rows are which entries: `count` rows of a table (`source` 0 receipts, 1 refusals) from `first_sequence`
 *   on are the entries from `first_leaf` on. While the journal has no gaps this stays a few rows.
 * - `tree_tile`: the hashes, as `transparency/tiles.ts` has them. `tree_checkpoint`: signed notes by size.
 * - `tree_forgotten`: entries whose document was deleted, and by which retention class.
 * - `deletion`: what was said of such deletions, `source` 2 of `tree_run`: taken into the tree as it is written.
 * - `retention_run`: when what was due was last deleted by schedule.
 *
 * Ids stand first in their indexes, before the tenant: where ids grow with time, every tenant's rows go to the same end of
 * the index, and a batch changes few pages.
 */
export const ledgerMigrations: readonly Migration[] = [
  [
    `CREATE TABLE counter_group (
      tenant_id TEXT NOT NULL, scope TEXT NOT NULL, counters TEXT NOT NULL,
      PRIMARY KEY (tenant_id, scope)
    ) WITHOUT ROWID`,
    `CREATE TABLE reservation (
      tenant_id TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL,
      requests INTEGER NOT NULL, tokens INTEGER NOT NULL, micro_usd INTEGER NOT NULL,
      holds TEXT NOT NULL, intent TEXT NOT NULL,
      PRIMARY KEY (tenant_id, id)
    ) WITHOUT ROWID`,
    "CREATE INDEX reservation_expired ON reservation (state, expires_at_ms) WHERE state <> 0",
    `CREATE TABLE receipt (
      sequence INTEGER PRIMARY KEY,
      tenant_id TEXT NOT NULL, request_id TEXT NOT NULL, started_at_ms INTEGER NOT NULL, response_id TEXT,
      unsettled INTEGER NOT NULL, document TEXT NOT NULL
    )`,
    "CREATE UNIQUE INDEX receipt_by_request ON receipt (request_id, tenant_id)",
    "CREATE INDEX receipt_by_start ON receipt (tenant_id, started_at_ms)",
    "CREATE INDEX receipt_by_response ON receipt (tenant_id, response_id) WHERE response_id IS NOT NULL",
    `CREATE TABLE key_use (
      tenant_id TEXT NOT NULL, key_id TEXT NOT NULL, last_used_at_ms INTEGER NOT NULL,
      PRIMARY KEY (tenant_id, key_id)
    ) WITHOUT ROWID`,
  ],
  [
    `CREATE TABLE receipt_order (
      started_at_ms INTEGER NOT NULL, sequence INTEGER NOT NULL,
      PRIMARY KEY (started_at_ms, sequence)
    ) WITHOUT ROWID`,
    "CREATE INDEX receipt_unsettled ON receipt (started_at_ms) WHERE unsettled = 1",
    `CREATE TABLE usage_slice (
      tenant_id TEXT NOT NULL, quarter INTEGER NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL, region TEXT NOT NULL, end TEXT NOT NULL,
      requests INTEGER NOT NULL, refused INTEGER NOT NULL,
      input INTEGER NOT NULL, cached_input INTEGER NOT NULL, cache_write INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL,
      input_unknown INTEGER NOT NULL, cached_input_unknown INTEGER NOT NULL, cache_write_unknown INTEGER NOT NULL,
      output_unknown INTEGER NOT NULL, reasoning_unknown INTEGER NOT NULL,
      charged_tokens INTEGER NOT NULL, cost_micro_usd INTEGER NOT NULL,
      PRIMARY KEY (tenant_id, quarter, key_id, model, region, end)
    ) WITHOUT ROWID`,
    "CREATE INDEX usage_slice_by_time ON usage_slice (quarter)",
    "CREATE TABLE reading_progress (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL)",
    "INSERT INTO reading_progress (one, sequence) VALUES (1, 0)",
  ],
  [
    "ALTER TABLE counter_group ADD COLUMN idle_at_ms INTEGER",
    "CREATE INDEX counter_group_idle ON counter_group (idle_at_ms) WHERE idle_at_ms IS NOT NULL",
    "ALTER TABLE reservation ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0",
  ],
  [
    `CREATE TABLE receipt_earlier (
      sequence INTEGER PRIMARY KEY,
      tenant_id TEXT NOT NULL, request_id TEXT NOT NULL, started_at_ms INTEGER NOT NULL, document TEXT NOT NULL
    )`,
    `CREATE TABLE refusal (
      sequence INTEGER PRIMARY KEY,
      tenant_id TEXT NOT NULL, request_id TEXT NOT NULL, started_at_ms INTEGER NOT NULL, document TEXT NOT NULL
    )`,
    "CREATE UNIQUE INDEX refusal_by_request ON refusal (request_id, tenant_id)",
    `CREATE TABLE tree_state (
      one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, size INTEGER NOT NULL,
      first_receipt INTEGER NOT NULL, receipts INTEGER NOT NULL, refusals INTEGER NOT NULL
    )`,
    `INSERT INTO tree_state (one, id, size, first_receipt, receipts, refusals)
      SELECT 1, lower(hex(randomblob(8))), 0, coalesce(max(sequence), 0) + 1, coalesce(max(sequence), 0), 0 FROM receipt`,
    `CREATE TABLE tree_run (
      source INTEGER NOT NULL, first_sequence INTEGER NOT NULL, first_leaf INTEGER NOT NULL, count INTEGER NOT NULL,
      PRIMARY KEY (source, first_sequence)
    ) WITHOUT ROWID`,
    "CREATE UNIQUE INDEX tree_run_by_leaf ON tree_run (first_leaf)",
    "CREATE TABLE tree_tile (level INTEGER NOT NULL, tile INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, tile))",
    "CREATE TABLE tree_checkpoint (size INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, note TEXT NOT NULL)",
    `CREATE TABLE tree_forgotten (
      first_leaf INTEGER PRIMARY KEY, count INTEGER NOT NULL, class TEXT NOT NULL, at_ms INTEGER NOT NULL
    )`,
  ],
  [
    "CREATE TABLE deletion (sequence INTEGER PRIMARY KEY, document TEXT NOT NULL)",
    "CREATE TABLE retention_run (one INTEGER PRIMARY KEY CHECK (one = 1), at_ms INTEGER NOT NULL)",
  ],
  ["ALTER TABLE receipt ADD COLUMN usage TEXT"],
  [
    "ALTER TABLE reservation RENAME TO reservation_before",
    `CREATE TABLE reservation (
      tenant_id TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL,
      requests INTEGER NOT NULL, tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, micro_usd INTEGER NOT NULL,
      holds TEXT NOT NULL, intent TEXT NOT NULL
    )`,
    `INSERT INTO reservation (tenant_id, id, state, expires_at_ms, requests, tokens, output_tokens, micro_usd, holds, intent)
      SELECT tenant_id, id, state, expires_at_ms, requests, tokens, output_tokens, micro_usd, holds, intent FROM reservation_before`,
    "DROP TABLE reservation_before",
    "CREATE UNIQUE INDEX reservation_by_id ON reservation (id, tenant_id)",
    "CREATE INDEX reservation_expired ON reservation (state, expires_at_ms) WHERE state <> 0",
  ],
];

/**
 * - `tenant`: a directory entry as one JSON document, with the revision that it is compared by.
 * - `audit`: who changed what, written together with the change.
 * - `place_mismatch`: what a replica found wrong with a deployment's place, as JSON, and how many that is.
 * - `shadow_count`: what a replica counted of a policy that is tried, as JSON, and of how many requests.
 * - `policy_bundle`: bundles that were loaded, as JSON with the signed text in it. `effective_from` is empty where it holds from ever.
 */
export const directoryMigrations: readonly Migration[] = [
  [
    "CREATE TABLE tenant (id TEXT PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE audit (sequence INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, document TEXT NOT NULL)",
    "CREATE INDEX audit_by_tenant ON audit (tenant_id, sequence)",
  ],
  [
    `CREATE TABLE place_mismatch (
      deployment TEXT NOT NULL, replica_id TEXT NOT NULL, count INTEGER NOT NULL, document TEXT NOT NULL,
      PRIMARY KEY (deployment, replica_id)
    ) WITHOUT ROWID`,
  ],
  [
    `CREATE TABLE shadow_count (
      candidate TEXT NOT NULL, replica_id TEXT NOT NULL, compared INTEGER NOT NULL, document TEXT NOT NULL,
      PRIMARY KEY (candidate, replica_id)
    ) WITHOUT ROWID`,
  ],
  [
    `CREATE TABLE policy_bundle (
      name TEXT PRIMARY KEY, shadow INTEGER NOT NULL, version TEXT NOT NULL, effective_from TEXT NOT NULL, document TEXT NOT NULL
    )`,
    "CREATE UNIQUE INDEX policy_bundle_version ON policy_bundle (version) WHERE shadow = 0",
    "CREATE UNIQUE INDEX policy_bundle_start ON policy_bundle (effective_from) WHERE shadow = 0",
    "CREATE UNIQUE INDEX policy_bundle_shadow ON policy_bundle (shadow) WHERE shadow = 1",
  ],
];

/**
 * - `revocation`: one order each, as JSON.
 * - `acknowledgement`: what a replica last said of an order, as JSON.
 * - `replica`: who serves requests, as JSON, and when it last said so.
 */
export const revocationMigrations: readonly Migration[] = [
  [
    "CREATE TABLE revocation (id TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID",
    `CREATE TABLE acknowledgement (
      order_id TEXT NOT NULL, replica_id TEXT NOT NULL, document TEXT NOT NULL,
      PRIMARY KEY (order_id, replica_id)
    ) WITHOUT ROWID`,
    "CREATE TABLE replica (id TEXT PRIMARY KEY, beat_at_ms INTEGER NOT NULL, document TEXT NOT NULL) WITHOUT ROWID",
  ],
];
