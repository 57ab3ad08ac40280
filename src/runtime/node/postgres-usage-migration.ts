import type { PostgresMigration } from "./postgres-schema.ts";

/** What sums are apart by: `region` is empty where none was reached, `end_user` where none was named. */
const labels: Readonly<Record<string, string>> = {
  key_id: "document->>'keyId'",
  model: "document->>'model'",
  region: "document->>'region'",
  '"end"': "document->>'end'",
  end_user: "document->>'endUser'",
};

const usage = (name: string): string => `coalesce((document->'usage'->>'${name}')::numeric, 0)`;
const unknown = (name: string): string => `(document->'usage'->>'${name}' IS NULL)::int`;
const charged = "coalesce((document->>'chargedTokens')::numeric, 0)";
const chargedInput = "(document->>'chargedInputTokens')::numeric";

/** What is summed, of one receipt: `sumsOf` and `amountsCharged` of the core. */
const sums: Readonly<Record<string, string>> = {
  requests: "1",
  refused: "coalesce((document->>'status')::numeric >= 400, false)::int",
  input: usage("inputTokens"),
  cached_input: usage("cachedInputTokens"),
  cache_write: usage("cacheWriteTokens"),
  output: usage("outputTokens"),
  reasoning: usage("reasoningTokens"),
  input_unknown: unknown("inputTokens"),
  cached_input_unknown: unknown("cachedInputTokens"),
  cache_write_unknown: unknown("cacheWriteTokens"),
  output_unknown: unknown("outputTokens"),
  reasoning_unknown: unknown("reasoningTokens"),
  charged_tokens: charged,
  charged_input: `coalesce(${chargedInput}, ${charged})`,
  charged_output: `${charged} - coalesce(${chargedInput}, 0)`,
  cost_micro_usd: "coalesce((document->>'costMicroUsd')::numeric, 0)",
};

/** Of the sums, what limits count. */
const counted = ["requests", "charged_tokens", "charged_input", "charged_output", "cost_micro_usd"];

const list = (names: readonly string[], each: (name: string) => string = (name) => name): string => names.map(each).join(", ");
const text = (name: string): string => `${name} text COLLATE "C" NOT NULL`;
/** No sum is too large for it: an upstream that reports absurd counts must not keep a receipt from being written. */
const number = (name: string): string => `${name} numeric NOT NULL`;

const allLabels = list(Object.keys(labels));
const allSums = list(Object.keys(sums));
const group = `tenant_id, started_at_ms / 900000, ${allLabels}`;

/** What is settled among these rows of `receipt`, as parts. */
const addParts = (rows: string): string => `INSERT INTO strait.usage_part (tenant_id, quarter, ${allLabels}, ${allSums})
  SELECT ${group}, ${list(Object.keys(sums), (name) => `sum(${name})`)}
  FROM ${rows} CROSS JOIN LATERAL strait.usage_of(document) WHERE NOT unsettled GROUP BY ${group}`;

/** With its owner's rights: a replica of the release before may run as a user who was not granted tables of today. */
const triggerFunction = (name: string, body: string): string => `CREATE FUNCTION strait.${name}() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ BEGIN ${body}; RETURN NULL; END $$`;

/**
 * Sums over receipts, by quarters of an hour since the epoch.
 *
 * - `usage_of`: one receipt as sums. A plain query, which the server puts in place of the call.
 * - `usage_part`: what one statement wrote, as sums. Triggers write it in the transaction that writes the receipts, whichever
 *   release of Strait sent it. So at every moment parts and slices together say what the settled receipts say, however late
 *   a transaction commits, and they go on to say it after receipts were deleted or the database was moved to another server.
 * - `usage_slice`: parts, merged by what usage is asked by. `used_slice`: the same parts, by what limits count by.
 *
 * Receipts from before are summed here: some fifteen seconds a million, in which new ones wait.
 */
export const usageMigration: PostgresMigration = {
  name: "sums over receipts",
  statements: [
    `CREATE FUNCTION strait.usage_of(document jsonb)
      RETURNS TABLE (${list(Object.keys(labels), (name) => `${name} text`)}, ${list(Object.keys(sums), (name) => `${name} numeric`)})
      LANGUAGE sql IMMUTABLE PARALLEL SAFE
      AS $$ SELECT ${list(Object.values(labels), (label) => `coalesce(${label}, '')`)}, ${list(Object.values(sums), (sum) => `(${sum})::numeric`)} $$`,
    `CREATE TABLE strait.usage_part (${text("tenant_id")}, quarter bigint NOT NULL,
      ${list(Object.keys(labels), text)}, ${list(Object.keys(sums), number)})`,
    "CREATE INDEX usage_part_by_time ON strait.usage_part (tenant_id, quarter)",
    `CREATE TABLE strait.usage_slice (${text("tenant_id")}, quarter bigint NOT NULL,
      ${list(["key_id", "model", "region", '"end"'], text)}, ${list(Object.keys(sums), number)},
      PRIMARY KEY (tenant_id, quarter, key_id, model, region, "end"))`,
    "CREATE INDEX usage_slice_by_time ON strait.usage_slice (quarter)",
    `CREATE TABLE strait.used_slice (${text("tenant_id")}, quarter bigint NOT NULL,
      ${list(["key_id", "model", "end_user"], text)}, ${list(counted, number)},
      PRIMARY KEY (tenant_id, quarter, key_id, model, end_user))`,
    "CREATE INDEX receipt_unsettled ON strait.receipt (tenant_id, (started_at_ms / 900000)) WHERE unsettled",
    triggerFunction("add_usage", addParts("written")),
    triggerFunction("add_usage_of_settled", addParts("(SELECT NEW.*) AS written")),
    `CREATE TRIGGER usage_of_written AFTER INSERT ON strait.receipt
      REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION strait.add_usage()`,
    `CREATE TRIGGER usage_of_settled AFTER UPDATE ON strait.receipt
      FOR EACH ROW WHEN (OLD.unsettled AND NOT NEW.unsettled) EXECUTE FUNCTION strait.add_usage_of_settled()`,
    addParts("strait.receipt"),
  ],
};
