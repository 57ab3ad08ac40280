import { appliedLimits, type AppliedLimit } from "../quota/limit.ts";
import { periodAt, periodsAround, utc } from "../tenant/periods.ts";
import type { LimitState } from "../quota/store.ts";
import { each, type LimitSetting, type LimitUnit } from "../tenant/limit-setting.ts";
import { quarterMs, type JournalReader, type ReservationReader } from "./journal-reader.ts";
import { mostUsageGroups } from "./usage-period.ts";

/**
 * - `equal`: the counter says what the journal and the requests in flight say.
 * - `boundary`: it says more, by no more than what began in the last quarter of an hour before the period: a request counts
 *   for the period in which it was admitted, and its receipt stands where it began.
 * - `moving`: it changed while it was looked at, as often as that was tried; ask again when less is going on.
 * - `differs`: none of these.
 */
export type CounterVerdict = "equal" | "boundary" | "moving" | "differs";

/** One counter beside the journal, in the limit's unit. */
export interface CounterCheck {
  readonly limit: string;
  readonly counter: string;
  readonly unit: LimitUnit;
  readonly window: "day" | "month";
  /** Milliseconds since the epoch at which the counter's period began. */
  readonly sinceMs: number;
  /** Used and held, as the quota store has it. */
  readonly counted: number;
  readonly journal: number;
  readonly inFlight: number;
  /** `counted - journal - inFlight`. */
  readonly difference: number;
  readonly verdict: CounterVerdict;
}

export interface CounterReport {
  readonly checks: readonly CounterCheck[];
  /** Limits by the day or month that a journal cannot vouch for, by name, with the reason. */
  readonly left: readonly { readonly limit: string; readonly reason: string }[];
}

export interface CounterPorts {
  readonly reader: JournalReader;
  readonly reservations: ReservationReader;
  readonly inspect: (tenantId: string, limits: readonly AppliedLimit[]) => Promise<readonly LimitState[]>;
  /** `undefined` for a model that the catalogue does not have any more. */
  readonly tierOf: (model: string) => string | undefined;
}

export interface CounterSubject {
  readonly tenantId: string;
  readonly limits: readonly LimitSetting[];
  readonly timeZone: string | undefined;
}

/** What was seen of one key and model. */
interface Seen {
  readonly keyId: string;
  readonly model: string;
  readonly requests: number;
  readonly tokens: number;
  readonly microUsd: number;
}

/** What should be on one counter. */
interface Expected {
  readonly limit: AppliedLimit;
  journal: number;
  inFlight: number;
  /** What may be on it although it began before the period. */
  late: number;
}

const attempts = 4;

/** Compares every counter by the day or month of a tenant with the journal's sums over the same period. */
export async function checkCounters(subject: CounterSubject, ports: CounterPorts, nowMs: number): Promise<CounterReport> {
  const left = subject.limits.flatMap((setting) => {
    const reason = reasonToLeave(setting);
    return reason === undefined ? [] : [{ limit: setting.name, reason }];
  });
  let before = await look(subject, ports, nowMs);
  for (let attempt = 1; ; attempt += 1) {
    const checks = await look(subject, ports, nowMs);
    const stood = checks.map((check) => before.some((other) => isSame(check, other)));
    if (stood.every(Boolean)) return { checks, left };
    // What moved between two looks says nothing of whether it is right.
    if (attempt === attempts)
      return { checks: checks.map((check, index) => (stood[index] === true ? check : { ...check, verdict: "moving" })), left };
    before = checks;
  }
}

async function look(subject: CounterSubject, ports: CounterPorts, nowMs: number): Promise<CounterCheck[]> {
  const checks: CounterCheck[] = [];
  const open = (await ports.reservations.open(subject.tenantId)).map((one) => ({ ...one, requests: 1 }));
  for (const window of ["day", "month"] as const) {
    const settings = subject.limits.filter((setting) => setting.window === window && reasonToLeave(setting) === undefined);
    if (settings.length === 0) continue;
    const sinceMs = periodAt(periodsAround(window, subject.timeZone ?? utc, nowMs), nowMs).startMs;
    const toMs = Math.floor(nowMs / quarterMs + 1) * quarterMs;
    const seen = await seenBetween(sinceMs, toMs, subject, ports);
    const late = await seenBetween(sinceMs - quarterMs, sinceMs, subject, ports);
    const running = open.filter(({ startedAtMs }) => startedAtMs >= sinceMs);
    const expected = settings.flatMap((setting) => expectedOf(setting, subject, seen, running, late, ports, nowMs));
    const states = await ports.inspect(
      subject.tenantId,
      expected.map(({ limit }) => limit),
    );
    for (const [index, one] of expected.entries()) {
      const state = states[index];
      if (state !== undefined) checks.push(checkOf(one, window, sinceMs, state.capacity - state.remaining));
    }
  }
  return checks;
}

async function seenBetween(
  fromMs: number,
  toMs: number,
  { tenantId }: CounterSubject,
  { reader }: CounterPorts,
): Promise<readonly Seen[]> {
  const rows = await reader.usage({ tenantId, fromMs, toMs, by: ["key", "model"], timeZone: utc, most: mostUsageGroups });
  return rows.map(({ group, sums }) => ({
    keyId: group.key ?? "",
    model: group.model ?? "",
    requests: sums.requests,
    tokens: sums.chargedTokens,
    microUsd: sums.costMicroUsd,
  }));
}

/** One counter, or with `each` one for everything that was seen. */
function expectedOf(
  setting: LimitSetting,
  subject: CounterSubject,
  seen: readonly Seen[],
  running: readonly Seen[],
  late: readonly Seen[],
  ports: CounterPorts,
  nowMs: number,
): Expected[] {
  const counters = new Map<string, Expected>();
  const of = (keyId: string, model: string, tier: string): Expected | undefined => {
    const anyone = [
      [setting.key, keyId],
      [setting.model, model],
      [setting.tier, tier],
    ].some(([wanted, actual]) => wanted === each && actual === "");
    if (anyone) return undefined;
    const [limit] = appliedLimits([setting], { keyId, model, tier, endUser: undefined, timeZone: subject.timeZone }, nowMs);
    if (limit === undefined) return undefined;
    const known = counters.get(limit.counter) ?? { limit, journal: 0, inFlight: 0, late: 0 };
    counters.set(limit.counter, known);
    return known;
  };
  // The counter that nothing has come to yet is looked at as well.
  const named = (wanted: string | undefined): string => (wanted === undefined || wanted === each ? "" : wanted);
  of(named(setting.key), named(setting.model), named(setting.tier));
  for (const [part, rows] of [
    ["journal", seen],
    ["inFlight", running],
    ["late", late],
  ] as const) {
    for (const one of rows) {
      const counter = of(one.keyId, one.model, ports.tierOf(one.model) ?? "");
      if (counter !== undefined) counter[part] += inUnit(one, setting.unit);
    }
  }
  return [...counters.values()];
}

function checkOf(
  { limit, journal, inFlight, late }: Expected,
  window: "day" | "month",
  sinceMs: number,
  counted: number,
): CounterCheck {
  const { setting, counter } = limit;
  const difference = counted - journal - inFlight;
  const verdict = difference === 0 ? "equal" : difference > 0 && difference <= late ? "boundary" : "differs";
  return { limit: setting.name, counter, unit: setting.unit, window, sinceMs, counted, journal, inFlight, difference, verdict };
}

function inUnit(one: Seen, unit: LimitUnit): number {
  if (unit === "requests") return one.requests;
  return unit === "tokens" ? one.tokens : one.microUsd;
}

function reasonToLeave({ window, unit, endUser }: LimitSetting): string | undefined {
  if (window !== "day" && window !== "month") return undefined;
  if (endUser !== undefined) return "sums of the journal are not kept by end user";
  if (unit === "input_tokens" || unit === "output_tokens") return "receipts say what was charged for input and output together";
  return undefined;
}

function isSame(one: CounterCheck, other: CounterCheck): boolean {
  return (
    one.limit === other.limit &&
    one.counter === other.counter &&
    one.counted === other.counted &&
    one.journal === other.journal &&
    one.inFlight === other.inFlight
  );
}
