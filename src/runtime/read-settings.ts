import { z } from "zod";
import { readSecretKeys } from "../secret-box.ts";
import { defaultSettings, type Settings } from "../settings.ts";

const { deadlines, bodyLimitBytes, attempts, keepAliveMs, leaseMs, revocationStalenessMs } = defaultSettings;

/** A whole number in a variable's text, within bounds. */
export function wholeNumber(least: number, most: number, otherwise: number): z.ZodType<number, string | undefined> {
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
  STRAIT_BODY_LIMIT_BYTES: wholeNumber(1_024, 1_073_741_824, bodyLimitBytes),
  STRAIT_ATTEMPTS: wholeNumber(1, 10, attempts),
  STRAIT_CONNECT_MS: wholeNumber(1, 600_000, deadlines.connectMs),
  STRAIT_FIRST_BYTE_MS: wholeNumber(1, 3_600_000, deadlines.firstByteMs),
  STRAIT_IDLE_MS: wholeNumber(1, 3_600_000, deadlines.idleMs),
  STRAIT_TOTAL_MS: wholeNumber(1, 86_400_000, deadlines.totalMs),
  STRAIT_HOLD_MS: wholeNumber(0, 60_000, deadlines.holdMs),
  STRAIT_KEEP_ALIVE_MS: wholeNumber(10, 3_600_000, keepAliveMs),
  STRAIT_HANG_UP_DRAIN_MS: wholeNumber(0, 60_000, defaultSettings.hangUpDrainMs),
  STRAIT_LEASE_MS: wholeNumber(1_000, 86_400_000, leaseMs),
  STRAIT_SECRETS_KEY: z.string().default("").transform(secretKeys),
  STRAIT_REVOCATION_STALENESS_MS: wholeNumber(1_000, 86_400_000, revocationStalenessMs),
});

export type SettingsRead =
  | {
      readonly ok: true;
      readonly settings: Settings;
      /** What seals the secrets in the directory, the newest first; empty where nothing does. */
      readonly secretKeys: readonly Uint8Array[];
    }
  | { readonly ok: false; readonly problems: readonly string[] };

/** What variables say of the data path, the same in every runtime; all that is wrong with them at once. An empty one counts as unset. */
export function readSettings(variables: Readonly<Record<string, string | undefined>>): SettingsRead {
  const parsed = schema.safeParse(setVariables(variables));
  if (!parsed.success) return { ok: false, problems: variableProblems(parsed.error) };
  const values = parsed.data;
  const settings: Settings = {
    ...defaultSettings,
    gatewayPlace: values.STRAIT_GATEWAY_PLACE,
    bodyLimitBytes: values.STRAIT_BODY_LIMIT_BYTES,
    attempts: values.STRAIT_ATTEMPTS,
    keepAliveMs: values.STRAIT_KEEP_ALIVE_MS,
    hangUpDrainMs: values.STRAIT_HANG_UP_DRAIN_MS,
    leaseMs: values.STRAIT_LEASE_MS,
    revocationStalenessMs: values.STRAIT_REVOCATION_STALENESS_MS,
    deadlines: {
      connectMs: values.STRAIT_CONNECT_MS,
      firstByteMs: values.STRAIT_FIRST_BYTE_MS,
      idleMs: values.STRAIT_IDLE_MS,
      totalMs: values.STRAIT_TOTAL_MS,
      holdMs: values.STRAIT_HOLD_MS,
    },
  };
  return { ok: true, settings: Object.freeze(settings), secretKeys: values.STRAIT_SECRETS_KEY };
}

function secretKeys(text: string, context: z.RefinementCtx): readonly Uint8Array[] {
  const read = readSecretKeys(text);
  if (read.ok) return read.keys;
  context.addIssue({ code: "custom", message: read.problem });
  return z.NEVER;
}

export function setVariables(variables: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ""));
}

export function variableProblems(error: z.ZodError): readonly string[] {
  return error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
}
