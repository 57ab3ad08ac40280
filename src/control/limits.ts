import { bucketScale } from "../quota/counter.ts";
import { endUserPattern } from "../tenant/end-user.ts";
import { each } from "../tenant/limit-setting.ts";
import type { LimitSetting } from "../tenant/limit-setting.ts";
import type { Catalogue } from "../region/catalogue.ts";
import { change } from "./change.ts";
import type { ChangeBy, Changed, ChangePorts } from "./change.ts";
import { checkModel, checkTier, unknown } from "./known-names.ts";
import { done, invalid, no } from "./outcome.ts";
import type { Outcome, Problem } from "./outcome.ts";

/** A limit as it is written: what is absent or null is not set. */
export interface LimitInput extends Pick<LimitSetting, "name" | "unit" | "window" | "ceiling"> {
  readonly burst?: number | null | undefined;
  readonly key?: string | null | undefined;
  readonly model?: string | null | undefined;
  readonly tier?: string | null | undefined;
  readonly endUser?: string | null | undefined;
  readonly shadow?: boolean | null | undefined;
  readonly slices?: boolean | null | undefined;
  readonly onOutage?: "refuse" | "allow-local" | null | undefined;
}

/** Every limit that a request falls under is decided in one transaction on its path. */
export const limitsLimit = 64;

/** A bucket counts in fractions of a unit, which must stay an exact integer. */
export const bucketCeilingLimit: number = Math.floor(2 ** 53 / bucketScale);

/** A calendar window counts whole units. Half of what is exact, so that used plus held is exact too. */
export const calendarCeilingLimit: number = 2 ** 52;

/**
 * What a new tenant gets unless told otherwise. The tokens' burst is five minutes' worth: on recorded traffic a bucket
 * of one minute refused many times as much of an honest client's load.
 */
export const defaultLimits: readonly LimitSetting[] = [
  setting({ name: "requests-per-minute", unit: "requests", window: "minute", ceiling: 1_000 }),
  setting({ name: "tokens-per-minute", unit: "tokens", window: "minute", ceiling: 2_000_000, burst: 10_000_000 }),
  setting({ name: "concurrent", unit: "concurrent", window: "open", ceiling: 200 }),
  setting({ name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 500_000_000 }),
];

/** Replaces all limits of a tenant: what is admitted together is decided together. */
export async function setLimits(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
  inputs: readonly LimitInput[],
): Promise<Outcome<Changed<readonly LimitSetting[]>>> {
  return change(ports, tenantId, by, (entry) => {
    if (entry.tenant.verification.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const keyIds = entry.keys.map((key) => key.id);
    const { limits, problems } = checkLimits(ports.catalogue(), keyIds, inputs, "/limits");
    const wrong = invalid(problems);
    if (wrong !== undefined) return wrong;
    if (JSON.stringify(limits) === JSON.stringify(entry.limits)) return done({ value: entry.limits });
    const detail = { from: without(entry.limits, limits), to: without(limits, entry.limits) };
    return done({ value: limits, entry: { limits }, action: "limits.set", detail });
  });
}

/** Those of `limits` that are not in `others` just so: what an auditor looks for among many that stayed. */
function without(limits: readonly LimitSetting[], others: readonly LimitSetting[]): LimitSetting[] {
  const same = new Set(others.map((limit) => JSON.stringify(limit)));
  return limits.filter((limit) => !same.has(JSON.stringify(limit)));
}

/** Reports all that is wrong at once; the limits come back with aliases of models resolved. */
export function checkLimits(
  catalogue: Catalogue,
  keyIds: readonly string[],
  inputs: readonly LimitInput[],
  pointer: string,
): { readonly limits: readonly LimitSetting[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  if (inputs.length > limitsLimit) problems.push({ pointer, detail: `At most ${limitsLimit} limits a tenant.` });
  const seen = new Map<string, number>();
  const limits = inputs.map((input, index) => {
    const limit = setting(input);
    const at = `${pointer}/${index}`;
    const before = seen.get(limit.name);
    if (before !== undefined)
      problems.push({ pointer: `${at}/name`, detail: `\`${limit.name}\` is also the name of ${pointer}/${before}.` });
    else seen.set(limit.name, index);
    problems.push(...checkLimit(limit, at));
    if (limit.key !== undefined && limit.key !== each && !keyIds.includes(limit.key) && !tokenSubjectPattern.test(limit.key)) {
      problems.push({
        pointer: `${at}/key`,
        detail: `${unknown("key of this tenant", limit.key, keyIds)} \`${each}\` gives every key its own counter.`,
      });
    }
    if (limit.tier !== undefined && limit.tier !== each) problems.push(...checkTier(catalogue, limit.tier, `${at}/tier`));
    if (limit.model === undefined || limit.model === each) return limit;
    const model = checkModel(catalogue, limit.model, `${at}/model`);
    problems.push(...model.problems);
    return { ...limit, model: model.id };
  });
  return { limits, problems };
}

/** Who comes with a token of the tenant's own issuer has an id of this form in place of a key's. */
const tokenSubjectPattern = /^oidc:[0-9a-f]{16}$/;

/** `|` and `=` keep counters apart, so a name that held them could share another limit's counter. */
const namePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

function checkLimit(limit: LimitSetting, at: string): Problem[] {
  const problems: Problem[] = [];
  const wrong = (field: string, detail: string): void => void problems.push({ pointer: `${at}/${field}`, detail });
  if (!namePattern.test(limit.name))
    wrong("name", "Write 1 to 64 of a-z, 0-9, `-`, `_` and `.`, beginning with a letter or digit.");
  if (limit.unit === "concurrent" && limit.window !== "open")
    wrong("window", "`concurrent` counts what is in flight: its window is `open`.");
  if (limit.unit !== "concurrent" && limit.window === "open")
    wrong("window", `\`open\` goes with \`concurrent\` alone; for ${limit.unit} write \`minute\`, \`day\` or \`month\`.`);
  const most = limit.window === "minute" ? bucketCeilingLimit : calendarCeilingLimit;
  const range = `Write an integer from 0 to ${most}.`;
  if (!Number.isSafeInteger(limit.ceiling) || limit.ceiling < 0 || limit.ceiling > most) wrong("ceiling", range);
  if (limit.endUser !== undefined && limit.endUser !== each && !endUserPattern.test(limit.endUser)) {
    wrong("endUser", `Write \`${each}\` for a counter per end user, or one end user's hash as receipts show it (\`u_…\`).`);
  }
  if (limit.onOutage !== undefined && limit.slices !== true)
    wrong("onOutage", "`allow-local` admits from what is left of a slice, so it goes with `slices`.");
  if (limit.burst === undefined) return problems;
  if (limit.window !== "minute") wrong("burst", "Only a window of a `minute` is a bucket with a burst.");
  // A bucket that holds nothing admits nothing, whatever flows in: that is said with a ceiling of 0.
  else if (!Number.isSafeInteger(limit.burst) || limit.burst < 1 || limit.burst > most)
    wrong("burst", `Write an integer from 1 to ${most}.`);
  return problems;
}

/** What is not set is left out, so that a limit written before these members were known reads the same as one written now. */
function setting(input: LimitInput): LimitSetting {
  const { name, unit, window, ceiling, burst, key, model, tier, endUser, shadow, slices, onOutage } = input;
  return {
    name,
    unit,
    window,
    ceiling,
    burst: burst ?? undefined,
    key: key ?? undefined,
    model: model ?? undefined,
    ...(typeof tier === "string" ? { tier } : {}),
    ...(typeof endUser === "string" ? { endUser } : {}),
    ...(shadow === true ? { shadow } : {}),
    ...(slices === true ? { slices } : {}),
    ...(onOutage === "allow-local" ? { onOutage } : {}),
  };
}
