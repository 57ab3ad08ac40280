import { usageMigration } from "./postgres-usage-migration.ts";

/** One version of the schema: what leads to it from the one before. */
export interface PostgresMigration {
  readonly name: string;
  readonly statements: readonly string[];
}

/**
 * The stored form, in a schema of its own, so that nothing depends on a `search_path` and the database may hold other
 * things. A migration that was released is never edited; a change is one more at the end, and one that the replicas of
 * the release before can live with, since they run on while it is applied.
 *
 * - `receipt`: one exchange each. `document` is the receipt; the columns beside it are what it is found by.
 * - `tenant`: a directory entry as one document. `revision` is what writers compare. `version` is drawn anew by every
 *   write and is what caches compare: a revision can come twice, where a failover lost the last one.
 * - `audit`: who changed what, written in one statement with the change.
 * - `revocation`, `acknowledgement`: orders, and what each replica last said of them. \`replica\`: who lives.
 * - `place_mismatch`: what a replica found wrong with a deployment's place, and how many that is.
 * - `shadow_count`: what a replica counted of a policy that is tried, and of how many requests.
 * - `policy_bundle`: bundles that were loaded, with the signed text in the document. `effective_from` is empty where it holds
 *   from ever.
 * - `key_use`: when a key was last used.
 * - `log_entry`: the text of each receipt and refusal exactly as the log hashes it, in the order in which they were written;
 *   an unsettled receipt and the one that replaced it are two. `leaf_index` is its place in the tree, NULL until it is
 *   taken in; `forgotten` the retention class by which its `document` was deleted. Receipts of replicas from before have none.
 *   What the log says of deletions is of tenant `*` and of no request, and is in the tree as soon as it is written.
 * - `log_state`, `log_tile`, `log_checkpoint`: the tree over these.
 * - `retention_run`: when what was due was last deleted by schedule.
 * - `journal_writer`: up to where each machine that writes receipts has handed them over, and when it last said so.
 * - `usage_part`, `usage_slice`, `used_slice`: sums over receipts, as `usageMigration` tells.
 *
 * Ids are compared byte by byte (`COLLATE "C"`): it is the order of the other stores, and it does not change with the
 * system's locale library, which silently breaks indexes.
 */
export const postgresMigrations: readonly PostgresMigration[] = [
  {
    name: "receipts, tenants, audit, key use",
    statements: [
      `CREATE TABLE strait.receipt (
        tenant_id text COLLATE "C" NOT NULL,
        request_id text COLLATE "C" NOT NULL,
        started_at_ms bigint NOT NULL,
        response_id text COLLATE "C",
        unsettled boolean NOT NULL,
        document jsonb NOT NULL,
        PRIMARY KEY (tenant_id, request_id)
      )`,
      "CREATE INDEX receipt_by_start ON strait.receipt (tenant_id, started_at_ms, request_id)",
      "CREATE INDEX receipt_by_response ON strait.receipt (tenant_id, response_id, started_at_ms, request_id) WHERE response_id IS NOT NULL",
      `CREATE TABLE strait.tenant (
        id text COLLATE "C" PRIMARY KEY,
        revision bigint NOT NULL,
        version uuid NOT NULL,
        document jsonb NOT NULL
      )`,
      `CREATE TABLE strait.audit (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant_id text COLLATE "C" NOT NULL,
        document jsonb NOT NULL
      )`,
      "CREATE INDEX audit_by_tenant ON strait.audit (tenant_id, sequence)",
      `CREATE TABLE strait.key_use (
        tenant_id text COLLATE "C" NOT NULL,
        key_id text COLLATE "C" NOT NULL,
        last_used_at_ms bigint NOT NULL,
        PRIMARY KEY (tenant_id, key_id)
      )`,
    ],
  },
  {
    name: "receipts in the order of all, writers of the journal",
    statements: [
      "CREATE INDEX receipt_order ON strait.receipt (started_at_ms, request_id, tenant_id)",
      `CREATE TABLE strait.journal_writer (
        id text COLLATE "C" PRIMARY KEY,
        complete_until_ms bigint NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now()
      )`,
    ],
  },
  {
    name: "revocations, their acknowledgements, replicas",
    statements: [
      `CREATE TABLE strait.revocation (id text COLLATE "C" PRIMARY KEY, document jsonb NOT NULL)`,
      `CREATE TABLE strait.acknowledgement (
        order_id text COLLATE "C" NOT NULL,
        replica_id text COLLATE "C" NOT NULL,
        document jsonb NOT NULL,
        PRIMARY KEY (order_id, replica_id)
      )`,
      `CREATE TABLE strait.replica (
        id text COLLATE "C" PRIMARY KEY,
        document jsonb NOT NULL,
        beat_at timestamptz NOT NULL
      )`,
    ],
  },
  {
    name: "places that were contradicted",
    statements: [
      `CREATE TABLE strait.place_mismatch (
        deployment text COLLATE "C" NOT NULL,
        replica_id text COLLATE "C" NOT NULL,
        count bigint NOT NULL,
        document jsonb NOT NULL,
        PRIMARY KEY (deployment, replica_id)
      )`,
    ],
  },
  usageMigration,
  {
    name: "the log of receipts and refusals",
    statements: [
      `CREATE TABLE strait.log_entry (
        sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant_id text COLLATE "C" NOT NULL,
        request_id text COLLATE "C" NOT NULL,
        refused boolean NOT NULL,
        document text,
        leaf_index bigint UNIQUE,
        forgotten text
      )`,
      "CREATE INDEX log_entry_by_request ON strait.log_entry (tenant_id, request_id, sequence)",
      "CREATE UNIQUE INDEX log_entry_refusal ON strait.log_entry (tenant_id, request_id) WHERE refused",
      "CREATE INDEX log_entry_waiting ON strait.log_entry (sequence) WHERE leaf_index IS NULL",
      "CREATE TABLE strait.log_state (one boolean PRIMARY KEY CHECK (one), id text NOT NULL, size bigint NOT NULL)",
      "INSERT INTO strait.log_state SELECT true, replace(gen_random_uuid()::text, '-', ''), 0",
      `CREATE TABLE strait.log_tile (
        level smallint NOT NULL,
        tile bigint NOT NULL,
        hashes bytea NOT NULL,
        PRIMARY KEY (level, tile)
      )`,
      "CREATE TABLE strait.log_checkpoint (size bigint PRIMARY KEY, at_ms bigint NOT NULL, note text NOT NULL)",
    ],
  },
  {
    name: "retention, refusals in the order of all",
    statements: [
      "CREATE TABLE strait.retention_run (one boolean PRIMARY KEY CHECK (one), at timestamptz NOT NULL)",
      "CREATE INDEX log_entry_refusal_order ON strait.log_entry (request_id, tenant_id) WHERE refused AND document IS NOT NULL",
    ],
  },
  {
    name: "what a policy that is tried would decide otherwise",
    statements: [
      `CREATE TABLE strait.shadow_count (
        candidate text COLLATE "C" NOT NULL,
        replica_id text COLLATE "C" NOT NULL,
        compared bigint NOT NULL,
        document jsonb NOT NULL,
        PRIMARY KEY (candidate, replica_id)
      )`,
    ],
  },
  {
    name: "policy bundles that were loaded",
    statements: [
      `CREATE TABLE strait.policy_bundle (
        name text COLLATE "C" PRIMARY KEY,
        shadow boolean NOT NULL,
        version text COLLATE "C" NOT NULL,
        effective_from text COLLATE "C" NOT NULL,
        document text NOT NULL
      )`,
      "CREATE UNIQUE INDEX policy_bundle_version ON strait.policy_bundle (version) WHERE NOT shadow",
      "CREATE UNIQUE INDEX policy_bundle_start ON strait.policy_bundle (effective_from) WHERE NOT shadow",
      "CREATE UNIQUE INDEX policy_bundle_shadow ON strait.policy_bundle (shadow) WHERE shadow",
    ],
  },
];

/** Where orders that revoke are told. The payload is the order's id. */
export const revocationChannel = "strait_revocation";

/** Where changes of the directory are told. The payload is `<version> <tenant id>`. */
export const directoryChannel = "strait_directory";
