import { isTimeZone, utc } from "../tenant/periods.ts";
import { quarterMs, usageDimensions, type UsageDimension } from "./journal-reader.ts";
import { dayBeginsMs, dayIn } from "./usage-days.ts";

/** What is wrong with one parameter, as the end of a sentence: "expected …". */
export interface ParameterProblem {
  readonly parameter: string;
  readonly expected: string;
}

export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problems: readonly ParameterProblem[] };

export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
  readonly timeZone: string;
}

export interface UsageAsked extends Period {
  readonly by: readonly UsageDimension[];
}

/** A parameter of a query by its name; empty counts as absent. */
export type Parameter = (name: string) => string | undefined;

/** The longest period that is summed in one answer. */
export const longestUsageDays = 400;

/** The most groups in one answer. */
export const mostUsageGroups = 20_000;

const dayMs = 86_400_000;
const aTime = "a day such as 2026-11-01, or a time with its offset such as 2026-11-01T08:00:00Z (in a URL, + is written %2B)";

/** What a query leaves open. */
export interface PeriodDefaults {
  readonly nowMs: number;
  /** The tenant's; `undefined` is UTC. */
  readonly timeZone: string | undefined;
}

/**
 * `from` and `to`, days or times. `to` is where the period ends and no longer part of it. Without them: from the first of
 * the month in which `to` lies, up to now.
 */
export function readPeriod(parameter: Parameter, defaults: PeriodDefaults): Parsed<Period> {
  const timeZone = parameter("time_zone") ?? defaults.timeZone ?? utc;
  if (!isTimeZone(timeZone))
    return { ok: false, problems: [{ parameter: "time_zone", expected: "an IANA time zone such as UTC or Asia/Singapore" }] };
  const problems: ParameterProblem[] = [];
  const read = (name: string, otherwise: () => number): number => {
    const text = parameter(name);
    const timeMs = text === undefined ? otherwise() : readTime(text, timeZone);
    if (timeMs === undefined) problems.push({ parameter: name, expected: aTime });
    return timeMs ?? Number.NaN;
  };
  // Rounded up, so that what just happened is in it.
  const toMs = read("to", () => Math.floor(defaults.nowMs / quarterMs + 1) * quarterMs);
  const fromMs = read("from", () =>
    Number.isNaN(toMs) ? 0 : dayBeginsMs(`${dayIn(timeZone)(toMs - 1).slice(0, 7)}-01`, timeZone),
  );
  if (fromMs >= toMs)
    problems.push({
      parameter: "from",
      expected: "a time before `to`, which is the first moment that is no longer part of the period",
    });
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: { fromMs, toMs, timeZone } };
}

/** A period, and `by`: what sums are apart by, as a list with commas; by day where it is absent. */
export function readUsageAsked(
  parameter: Parameter,
  defaults: PeriodDefaults,
  dimensions: readonly UsageDimension[] = usageDimensions,
): Parsed<UsageAsked> {
  const period = readPeriod(parameter, defaults);
  const problems: ParameterProblem[] = period.ok ? [] : [...period.problems];
  const by = (parameter("by") ?? "day").split(",").map((name) => dimensions.find((dimension) => dimension === name.trim()));
  const known = [...new Set(by.filter((dimension) => dimension !== undefined))];
  if (known.length < by.length) problems.push({ parameter: "by", expected: `a list, each once, of ${dimensions.join(", ")}` });
  if (!period.ok) return { ok: false, problems };
  const { fromMs, toMs } = period.value;
  for (const [name, timeMs] of [
    ["from", fromMs],
    ["to", toMs],
  ] as const) {
    if (timeMs % quarterMs !== 0)
      problems.push({
        parameter: name,
        expected: "a full quarter of an hour, which is how fine usage is summed; the export has each request",
      });
  }
  if (toMs - fromMs > longestUsageDays * dayMs)
    problems.push({
      parameter: "from",
      expected: `at most ${longestUsageDays} days before \`to\`; ask for a part of the period, or export it`,
    });
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: { ...period.value, by: known } };
}

function readTime(text: string, timeZone: string): number | undefined {
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return isCalendarDay(text) ? dayBeginsMs(text, timeZone) : undefined;
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined;
  const timeMs = Date.parse(text);
  return isCalendarDay(text.slice(0, 10)) && timeMs >= 0 ? timeMs : undefined;
}

/** `Date` takes the 30th of February for the 2nd of March. */
function isCalendarDay(day: string): boolean {
  const timeMs = Date.parse(`${day}T00:00:00Z`);
  return timeMs >= 0 && new Date(timeMs).toISOString().slice(0, 10) === day;
}
