import { join } from "node:path";
import { z } from "zod";
import type { Settings } from "../../settings.ts";
import { bundledTable } from "./country-table.ts";
import { readSettings, setVariables, variableProblems, wholeNumber } from "../read-settings.ts";
import { isValkeyAddress, valkeyAddressExample } from "./valkey-address.ts";

/** All that the environment may say, parsed once and frozen. README's table lists the same. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly regionsDir: string;
  /** The keys that a policy bundle must be signed by, as a key set or the file that holds one; without them the folder's policy.toml holds. */
  readonly policyKeys: string | undefined;
  readonly operatorKey: string | undefined;
  readonly processes: number;
  readonly drainMs: number;
  readonly upstreamConnections: number;
  /** Whether a commit waits for the disk: `normal` survives the death of the process, `full` that of the machine. */
  readonly synchronous: "normal" | "full";
  /** PostgreSQL for journal and directory; without it, SQLite in `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** Valkey or Redis for limits and reservations; without it, SQLite in `dataDir`. */
  readonly quotaUrl: string | undefined;
  /** What happens while receipts cannot be written: `block` refuses, `buffer` keeps a bounded number in memory first. */
  readonly audit: "block" | "buffer";
  /** The log's signing keys, as JSON or as a file with it; without it, a key of `dataDir`'s own. */
  readonly logKey: string | undefined;
  /** How long a tenant that was read from PostgreSQL is trusted while nothing is heard of changes. */
  readonly directoryStalenessMs: number;
  /** The folder of the table of addresses by country, and how old it may be. */
  readonly countryTable: string;
  readonly countryTableDays: number;
  /** Whether the operator knows of the environment's proxy, and that upstreams are not reached through it. */
  readonly ignoresProxy: boolean;
  /** What seals the secrets in the directory, the newest first. */
  readonly secretKeys: readonly Uint8Array[];
  readonly settings: Settings;
}

const schema = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: wholeNumber(0, 65_535, 8787),
  STRAIT_DATA_DIR: z.string().min(1).default(".strait"),
  STRAIT_REGIONS_DIR: z
    .string()
    .min(1)
    .default(join(import.meta.dirname, "../../../regions")),
  STRAIT_POLICY_KEYS: z.string().optional(),
  STRAIT_OPERATOR_KEY: z.string().min(24, "must have at least 24 characters").optional(),
  STRAIT_PROCESSES: wholeNumber(1, 256, 1),
  STRAIT_DRAIN_MS: wholeNumber(0, 600_000, 10_000),
  STRAIT_UPSTREAM_CONNECTIONS: wholeNumber(1, 100_000, 4_096),
  STRAIT_DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, "must begin with postgres://")
    .optional(),
  STRAIT_QUOTA_URL: z.string().refine(isValkeyAddress, `must look like ${valkeyAddressExample}`).optional(),
  STRAIT_AUDIT: z.enum(["block", "buffer"], 'must be "block" or "buffer"').default("block"),
  STRAIT_LOG_KEY: z.string().min(1).optional(),
  STRAIT_DIRECTORY_STALENESS_MS: wholeNumber(1_000, 86_400_000, 10_000),
  STRAIT_COUNTRY_TABLE: z.string().min(1).optional(),
  STRAIT_COUNTRY_TABLE_DAYS: wholeNumber(1, 3_650, 270),
  STRAIT_PROXY: z.enum(["ignore"], 'must be "ignore", or unset').optional(),
  STRAIT_SYNC: z.enum(["normal", "full"], 'must be "normal" or "full"').default("normal"),
});

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the environment; all that is wrong with it at once. An empty variable counts as unset. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): ConfigResult {
  const parsed = schema.safeParse(setVariables(environment));
  const settings = readSettings(environment);
  if (!parsed.success || !settings.ok) {
    return {
      ok: false,
      problems: [...(parsed.success ? [] : variableProblems(parsed.error)), ...(settings.ok ? [] : settings.problems)],
    };
  }
  const values = parsed.data;
  const config: Config = {
    host: values.HOST,
    port: values.PORT,
    dataDir: values.STRAIT_DATA_DIR,
    regionsDir: values.STRAIT_REGIONS_DIR,
    policyKeys: values.STRAIT_POLICY_KEYS,
    operatorKey: values.STRAIT_OPERATOR_KEY,
    processes: values.STRAIT_PROCESSES,
    drainMs: values.STRAIT_DRAIN_MS,
    upstreamConnections: values.STRAIT_UPSTREAM_CONNECTIONS,
    synchronous: values.STRAIT_SYNC,
    databaseUrl: values.STRAIT_DATABASE_URL,
    quotaUrl: values.STRAIT_QUOTA_URL,
    audit: values.STRAIT_AUDIT,
    logKey: values.STRAIT_LOG_KEY,
    directoryStalenessMs: values.STRAIT_DIRECTORY_STALENESS_MS,
    countryTable: values.STRAIT_COUNTRY_TABLE ?? bundledTable(),
    countryTableDays: values.STRAIT_COUNTRY_TABLE_DAYS,
    ignoresProxy: values.STRAIT_PROXY === "ignore",
    secretKeys: settings.secretKeys,
    settings: settings.settings,
  };
  return { ok: true, config: Object.freeze(config) };
}
