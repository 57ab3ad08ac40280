import { join } from "node:path";
import { z } from "zod";
import { defaultSettings, type Settings } from "../../settings.ts";

/** All that the environment may say, parsed once and frozen. README's table lists the same. */
export interface Config {
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly regionsDir: string;
  readonly operatorKey: string | undefined;
  readonly processes: number;
  readonly drainMs: number;
  readonly upstreamConnections: number;
  /** Whether a commit waits for the disk: `normal` survives the death of the process, `full` that of the machine. */
  readonly synchronous: "normal" | "full";
  readonly settings: Settings;
}

const { deadlines, bodyLimitBytes, attempts, keepAliveMs, leaseMs } = defaultSettings;

function whole(least: number, most: number, otherwise: number) {
  return z
    .string()
    .regex(/^\d+$/, "must be a whole number")
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be between ${least} and ${most}`)
    .optional()
    .transform((value) => value ?? otherwise);
}

const schema = z.object({
  HOST: z.string().min(1).default("127.0.0.1"),
  PORT: whole(0, 65_535, 8787),
  STRAIT_DATA_DIR: z.string().min(1).default(".strait"),
  STRAIT_REGIONS_DIR: z.string().min(1).default(join(import.meta.dirname, "../../../regions")),
  STRAIT_OPERATOR_KEY: z.string().min(24, "must have at least 24 characters").optional(),
  STRAIT_PROCESSES: whole(1, 256, 1),
  STRAIT_DRAIN_MS: whole(0, 600_000, 10_000),
  STRAIT_UPSTREAM_CONNECTIONS: whole(1, 100_000, 4_096),
  STRAIT_SYNC: z.enum(["normal", "full"], 'must be "normal" or "full"').default("normal"),
  STRAIT_GATEWAY_PLACE: z.string().min(1).default(defaultSettings.gatewayPlace),
  STRAIT_BODY_LIMIT_BYTES: whole(1_024, 1_073_741_824, bodyLimitBytes),
  STRAIT_ATTEMPTS: whole(1, 10, attempts),
  STRAIT_CONNECT_MS: whole(1, 600_000, deadlines.connectMs),
  STRAIT_FIRST_BYTE_MS: whole(1, 3_600_000, deadlines.firstByteMs),
  STRAIT_IDLE_MS: whole(1, 3_600_000, deadlines.idleMs),
  STRAIT_TOTAL_MS: whole(1, 86_400_000, deadlines.totalMs),
  STRAIT_HOLD_MS: whole(0, 60_000, deadlines.holdMs),
  STRAIT_KEEP_ALIVE_MS: whole(10, 3_600_000, keepAliveMs),
  STRAIT_LEASE_MS: whole(1_000, 86_400_000, leaseMs),
});

export type ConfigResult = { readonly ok: true; readonly config: Config } | { readonly ok: false; readonly problems: readonly string[] };

/** Reads the environment; all that is wrong with it at once. An empty variable counts as unset. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): ConfigResult {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = schema.safeParse(set);
  if (!parsed.success) {
    return { ok: false, problems: parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`) };
  }
  const values = parsed.data;
  const settings: Settings = {
    ...defaultSettings,
    gatewayPlace: values.STRAIT_GATEWAY_PLACE,
    bodyLimitBytes: values.STRAIT_BODY_LIMIT_BYTES,
    attempts: values.STRAIT_ATTEMPTS,
    keepAliveMs: values.STRAIT_KEEP_ALIVE_MS,
    leaseMs: values.STRAIT_LEASE_MS,
    deadlines: {
      connectMs: values.STRAIT_CONNECT_MS,
      firstByteMs: values.STRAIT_FIRST_BYTE_MS,
      idleMs: values.STRAIT_IDLE_MS,
      totalMs: values.STRAIT_TOTAL_MS,
      holdMs: values.STRAIT_HOLD_MS,
    },
  };
  const config: Config = {
    host: values.HOST,
    port: values.PORT,
    dataDir: values.STRAIT_DATA_DIR,
    regionsDir: values.STRAIT_REGIONS_DIR,
    operatorKey: values.STRAIT_OPERATOR_KEY,
    processes: values.STRAIT_PROCESSES,
    drainMs: values.STRAIT_DRAIN_MS,
    upstreamConnections: values.STRAIT_UPSTREAM_CONNECTIONS,
    synchronous: values.STRAIT_SYNC,
    settings,
  };
  return { ok: true, config: Object.freeze(config) };
}
