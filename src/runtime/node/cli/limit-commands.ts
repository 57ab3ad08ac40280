import type { LimitDocument, LimitUseDocument } from "../../../control/documents.ts";
import type { LimitSetting } from "../../../tenant/limit-setting.ts";
import type { Command, Input, Option, Session } from "./command.ts";
import { Failure, usageFailure } from "./failure.ts";
import { table } from "./table.ts";
import { tenantPath } from "./tenant-path.ts";
import { jsonFile, microUsd, showMicroUsd, wholeNumber } from "./values.ts";

const tenantArgument = { name: "TENANT", help: "the tenant's id" };

interface Kind {
  readonly unit: LimitSetting["unit"];
  readonly window: LimitSetting["window"];
  /** The option that sets the bucket's burst. */
  readonly burst?: string;
}

/** The option is the limit's name as well. */
const kinds: Readonly<Record<string, Kind>> = {
  "requests-per-minute": { unit: "requests", window: "minute", burst: "requests-burst" },
  "requests-per-day": { unit: "requests", window: "day" },
  "tokens-per-minute": { unit: "tokens", window: "minute", burst: "tokens-burst" },
  "input-tokens-per-minute": { unit: "input_tokens", window: "minute", burst: "input-tokens-burst" },
  "output-tokens-per-minute": { unit: "output_tokens", window: "minute", burst: "output-tokens-burst" },
  "tokens-per-day": { unit: "tokens", window: "day" },
  "tokens-per-month": { unit: "tokens", window: "month" },
  "usd-per-day": { unit: "micro_usd", window: "day" },
  "usd-per-month": { unit: "micro_usd", window: "month" },
  concurrent: { unit: "concurrent", window: "open" },
};

const kindOptions: readonly Option[] = Object.entries(kinds).flatMap(([name, { unit, burst }]) => {
  const option: Option = {
    name,
    value: unit === "micro_usd" ? "USD" : "N",
    help: `at most so many ${name.replaceAll("-", " ").replace("usd", "US dollars")}`,
  };
  return burst === undefined
    ? [option]
    : [option, { name: burst, value: "N", help: `with --${name}: how many at once, a minute's worth without` }];
});

const show: Command = {
  path: ["limits", "show"],
  summary: "show a tenant's limits, or how far they are used",
  arguments: [tenantArgument],
  options: [
    { name: "use", help: "how far they are used now" },
    { name: "key", value: "KEY", help: "with --use: the key whose own counters to show" },
    { name: "model", value: "MODEL", help: "with --use: the model whose own counters to show, and its tier's" },
    { name: "tier", value: "TIER", help: "with --use: the tier whose own counters to show" },
    { name: "end-user", value: "USER", help: "with --use: the end user, by name or hash, whose own counters to show" },
  ],
  async run(input, session) {
    const path = `${tenantPath(input)}/limits`;
    if (!input.isOn("use")) {
      if (Object.keys(counterOptions).some((name) => input.option(name) !== undefined)) {
        throw usageFailure("--key, --model, --tier and --end-user go with --use.");
      }
      return print((await session.client().send<Limits>({ method: "GET", path })).document, session);
    }
    const query = new URLSearchParams();
    for (const [name, parameter] of Object.entries(counterOptions)) {
      const value = input.option(name);
      if (value !== undefined) query.set(parameter, value);
    }
    const { document } = await session
      .client()
      .send<{ use: LimitUseDocument[] }>({ method: "GET", path: `${path}/use?${query.toString()}` });
    if (session.json) return session.print(JSON.stringify(document, undefined, 2));
    const rows = document.use.map((use) => [
      use.counter,
      amount(use.unit, use.remaining),
      amount(use.unit, use.capacity),
      `${Math.ceil(use.resetMs / 1_000)} s`,
      standing(use),
    ]);
    session.print(table(["COUNTER", "REMAINING", "OF", "WHOLE IN", "NOTE"], rows));
  },
};

const set: Command = {
  path: ["limits", "set"],
  summary: "set limits of a tenant; those that are not named stay",
  arguments: [tenantArgument],
  options: [
    ...kindOptions,
    { name: "key", value: "KEY|each", help: "the limits set here are this key's, or every key's own" },
    { name: "model", value: "MODEL|each", help: "the limits set here are this model's, or every model's own" },
    { name: "tier", value: "TIER|each", help: "the limits set here are for this tier's models, or every tier's own" },
    { name: "end-user", value: "HASH|each", help: "the limits set here are this end user's, or every end user's own" },
    { name: "shadow", help: "the limits set here are counted and reported, and refuse nothing" },
    { name: "slices", help: "gateways may admit from slices of the limits set here without asking the store for each request" },
    {
      name: "on-outage",
      value: "refuse|allow-local",
      help: "when the store of limits is away: refuse, or with --slices admit from what is left of the last slice",
    },
    { name: "remove", value: "NAME", help: "remove the limit of this name", multiple: true },
    {
      name: "file",
      value: "FILE",
      help: 'replace all by the file\'s {"limits": [...]}, as `limits show --json` prints it (`-`: standard input)',
    },
  ],
  notes:
    "A limit that is set anew is set whole: without its burst option it has a minute's worth again, and without --shadow it is enforced; --slices and --on-outage " +
    "are off unless given. A request is admitted from slices where all of its limits allow it. " +
    "A burst of five minutes' worth is a normal choice. Days and months begin where `strait tenant change --time-zone` says.",
  async run(input, session) {
    const file = input.option("file");
    const wanted = readWanted(input);
    const removed = input.options("remove");
    if (file !== undefined && wanted.length + removed.length > 0)
      throw usageFailure("--file replaces all limits: it goes with no other limit.");
    if (file === undefined && wanted.length + removed.length === 0)
      throw usageFailure("Name at least one limit to set or remove; --help lists them.");
    const path = `${tenantPath(input)}/limits`;
    const client = session.client();
    if (file !== undefined) {
      return print((await client.send<Limits>({ method: "PUT", path, body: jsonFile(file) })).document, session);
    }
    for (let attempt = 1; ; attempt += 1) {
      const { document, etag } = await client.send<Limits>({ method: "GET", path });
      try {
        const body = { limits: merged(document.limits, wanted, removed) };
        return print((await client.send<Limits>({ method: "PUT", path, body, ifMatch: etag })).document, session);
      } catch (error) {
        // Somebody changed the tenant between the reading and the writing: what stays must be what is there now.
        if (attempt < 3 && isChangedMeanwhile(error)) continue;
        throw error;
      }
    }
  },
};

/** The options that name a counter, with what the API calls them. */
const counterOptions: Readonly<Record<string, string>> = { key: "key", model: "model", tier: "tier", "end-user": "endUser" };

export const limitCommands: readonly Command[] = [show, set];

interface Limits {
  readonly limits: readonly LimitDocument[];
}

function readWanted(input: Input): LimitDocument[] {
  const scope: Scope = {
    key: input.option("key") ?? null,
    model: input.option("model") ?? null,
    tier: input.option("tier") ?? null,
    endUser: input.option("end-user") ?? null,
  };
  const mode = {
    shadow: input.isOn("shadow"),
    slices: input.isOn("slices"),
    onOutage: onOutageOf(input),
  };
  const wanted: LimitDocument[] = [];
  for (const [name, { unit, window, burst }] of Object.entries(kinds)) {
    const value = input.option(name);
    const burstValue = burst === undefined ? undefined : input.option(burst);
    if (value === undefined) {
      if (burstValue !== undefined) throw usageFailure(`--${burst ?? ""} goes with --${name}.`);
      continue;
    }
    const ceiling = unit === "micro_usd" ? microUsd(value, name) : wholeNumber(value, name);
    const capacity = burstValue === undefined ? null : wholeNumber(burstValue, burst ?? "");
    wanted.push({ name: scopedName(name, scope), unit, window, ceiling, burst: capacity, ...scope, ...mode });
  }
  const isQualified = [...Object.keys(counterOptions), "on-outage"].some((name) => input.option(name) !== undefined);
  if (wanted.length === 0 && (isQualified || mode.shadow || mode.slices)) {
    throw usageFailure(
      "--key, --model, --tier, --end-user, --shadow, --slices and --on-outage say whose limits are set and how: name a limit as well.",
    );
  }
  return wanted;
}

function onOutageOf(input: Input): LimitDocument["onOutage"] {
  const value = input.option("on-outage") ?? "refuse";
  if (value !== "refuse" && value !== "allow-local")
    throw usageFailure(`--on-outage takes refuse or allow-local; not "${value}".`);
  return value;
}

type Scope = Pick<LimitDocument, "key" | "model" | "tier" | "endUser">;

/** `tokens-per-minute-each-key`: so a key's limit stands beside the tenant's and does not replace it. */
function scopedName(name: string, { key, model, tier, endUser }: Scope): string {
  const part = (scope: string | null, word: string): string =>
    scope === null ? "" : scope === "each" ? `-each-${word}` : `-${word}-${scope}`;
  const whole = `${name}${part(key, "key")}${part(model, "model")}${part(tier, "tier")}${part(endUser, "end-user")}`;
  return whole
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/g, "-")
    .slice(0, 64);
}

function merged(
  current: readonly LimitDocument[],
  wanted: readonly LimitDocument[],
  removed: readonly string[],
): LimitDocument[] {
  const missing = removed.filter((name) => !current.some((limit) => limit.name === name));
  if (missing.length > 0)
    throw new Failure(
      1,
      `The tenant has no limit called ${missing.join(" or ")}; it has ${current.map((limit) => limit.name).join(", ") || "none"}.`,
    );
  const limits = new Map(current.filter((limit) => !removed.includes(limit.name)).map((limit) => [limit.name, limit]));
  for (const limit of wanted) limits.set(limit.name, limit);
  return [...limits.values()];
}

function isChangedMeanwhile(error: unknown): boolean {
  if (!(error instanceof Failure) || typeof error.document !== "object" || error.document === null) return false;
  return "status" in error.document && error.document.status === 412;
}

function print(document: Limits, session: Session): void {
  if (session.json) return session.print(JSON.stringify(document, undefined, 2));
  if (document.limits.length === 0) return session.remark("No limits: only the upstreams' own capacity bounds this tenant.");
  const rows = document.limits.map((limit) => [
    limit.name,
    amount(limit.unit, limit.ceiling),
    limit.burst === null ? null : amount(limit.unit, limit.burst),
    limit.unit === "micro_usd" ? "US dollars" : limit.unit,
    limit.window,
    limit.key,
    limit.model,
    limit.tier,
    limit.endUser,
    modeOf(limit),
  ]);
  session.print(table(["LIMIT", "CEILING", "BURST", "UNIT", "WINDOW", "KEY", "MODEL", "TIER", "END USER", "MODE"], rows));
}

function modeOf({ shadow, slices, onOutage }: LimitDocument): string | null {
  const modes = [shadow && "shadow", slices && "slices", onOutage === "allow-local" && onOutage].filter((mode) => mode !== false);
  return modes.length === 0 ? null : modes.join(", ");
}

function standing(use: LimitUseDocument): string | null {
  const notes = [use.shadow ? "shadow" : undefined, use.remaining < 0 ? "over" : use.near ? "near" : undefined].filter(
    (note) => note !== undefined,
  );
  return notes.length === 0 ? null : notes.join(", ");
}

function amount(unit: LimitSetting["unit"], value: number): string {
  if (unit !== "micro_usd") return String(value);
  return value < 0 ? `-${showMicroUsd(-value)}` : showMicroUsd(value);
}
