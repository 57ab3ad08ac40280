import { quarterMs } from "./journal-reader.ts";

/** `YYYY-MM-DD` in one time zone. */
export type DayOf = (timeMs: number) => string;

export interface Day {
  readonly day: string;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The farthest that local midnight is from midnight UTC. */
const farthestMs = 15 * 3_600_000;

const formats = new Map<string, DayOf>();

/** Which day a moment is in. */
export function dayIn(timeZone: string): DayOf {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const format = new Intl.DateTimeFormat("en-u-ca-iso8601-nu-latn", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  const dayOf: DayOf = (timeMs) => {
    const parts = new Map(format.formatToParts(timeMs).map(({ type, value }) => [type, value]));
    return `${(parts.get("year") ?? "").padStart(4, "0")}-${parts.get("month") ?? ""}-${parts.get("day") ?? ""}`;
  };
  // Clients choose the name: a spelling each must not grow this for ever.
  if (formats.size >= 200) formats.clear();
  formats.set(timeZone, dayOf);
  return dayOf;
}

/**
 * When a day begins: the first moment that is in it or, where the time zone left it out, after it. Not always midnight:
 * clocks that go forward at midnight begin the day at one. Searched, because offsets alone are wrong beside a change.
 */
export function dayBeginsMs(day: string, timeZone: string): number {
  const dayOf = dayIn(timeZone);
  const utcMs = Date.parse(`${day}T00:00:00Z`);
  let before = (utcMs - farthestMs) / quarterMs;
  let after = (utcMs + farthestMs) / quarterMs;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dayOf(middle * quarterMs) >= day) after = middle;
    else before = middle;
  }
  return after * quarterMs;
}

/** The days that a period touches, cut at its ends. */
export function* daysBetween(fromMs: number, toMs: number, timeZone: string): Generator<Day> {
  const dayOf = dayIn(timeZone);
  for (let beginMs = fromMs; beginMs < toMs;) {
    const day = dayOf(beginMs);
    const endMs = Math.min(toMs, dayBeginsMs(nextDay(day), timeZone));
    yield { day, fromMs: beginMs, toMs: endMs };
    beginMs = endMs;
  }
}

function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}
