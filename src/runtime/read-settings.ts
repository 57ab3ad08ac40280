import { z } from "zod";
import { defaultSettings, type Settings } from "../settings.ts";

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

export type SettingsRead =
  { readonly ok: true; readonly settings: Settings } | { readonly ok: false; readonly problems: readonly string[] };

/** What variables say of the data path, the same in every runtime; all that is wrong with them at once. An empty one counts as unset. */
export function readSettings(variables: Readonly<Record<string, string | undefined>>): SettingsRead {
  const set = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = schema.safeParse(set);
  if (!parsed.success) return { ok: false, problems: parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`) };
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
  return { ok: true, settings: Object.freeze(settings) };
}
