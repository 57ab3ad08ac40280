/**
 * The calendar in the tenant's time zone, as a short table that travels with each limit. A store decides by its own clock
 * in which period it is, but a store that runs small functions of its own knows no time zones: so the gateway works out
 * the boundaries, and the store only compares. A gateway's clock may be wrong by hours without changing a decision.
 */
export interface Period {
  /** Days since the epoch or months since year 0, by the calendar on the tenant's wall: grows by one each period. */
  readonly label: number;
  /** Milliseconds since the epoch; the end is the next one's start. */
  readonly startMs: number;
  readonly endMs: number;
}

export const utc = "UTC";

const dayMs = 86_400_000;
// The wall clocks furthest from UTC are 14 hours ahead and 12 behind.
const furthestAheadMs = 15 * 3_600_000;
const furthestBehindMs = 13 * 3_600_000;

interface Known {
  readonly untilMs: number;
  readonly fromMs: number;
  readonly periods: readonly Period[];
}

/** One table a window and zone, until its period is over: at most as many as there are time zones. */
const known = new Map<string, Known>();

/** The period that `nowMs` lies in, between the one before and the one after. Throws `RangeError` where there is no such zone. */
export function periodsAround(window: "day" | "month", timeZone: string, nowMs: number): readonly Period[] {
  const name = `${window}/${timeZone}`;
  let found = known.get(name);
  if (found === undefined || nowMs < found.fromMs || nowMs >= found.untilMs) {
    found = build(window, calendarOf(timeZone), nowMs);
    known.set(name, found);
  }
  return found.periods;
}

/** The period of `periods` that a time lies in; before the first one the first, beyond the last one the last. */
export function periodAt(periods: readonly Period[], timeMs: number): Period {
  for (let index = periods.length - 1; index >= 0; index--) {
    const period = periods[index];
    if (period !== undefined && (period.startMs <= timeMs || index === 0)) return period;
  }
  throw new RangeError("A limit by the day or month needs its periods.");
}

/** Whether this is a time zone by its IANA name; an offset such as `+08:00` is not, for it knows no summer time. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    wallDate(name);
    return true;
  } catch {
    return false;
  }
}

function build(window: "day" | "month", calendar: Calendar, nowMs: number): Known {
  const today = calendar.dayAt(nowMs);
  const label = window === "day" ? today : monthOf(today);
  const startOf = (of: number): number => calendar.startOfDay(window === "day" ? of : firstDayOf(of));
  const starts = [label - 1, label, label + 1, label + 2].map(startOf);
  const periods = [0, 1, 2].map((index) =>
    Object.freeze({ label: label - 1 + index, startMs: starts[index] as number, endMs: starts[index + 1] as number }),
  );
  const { startMs, endMs } = periods[1] as Period;
  return { fromMs: startMs, untilMs: endMs, periods: Object.freeze(periods) };
}

function monthOf(day: number): number {
  const date = new Date(day * dayMs);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function firstDayOf(month: number): number {
  return Date.UTC(Math.floor(month / 12), month % 12) / dayMs;
}

interface Calendar {
  /** The date on the wall, as days since 1970-01-01. */
  dayAt(timeMs: number): number;
  /** The first instant at which the wall shows that date or a later one. */
  startOfDay(day: number): number;
}

function calendarOf(timeZone: string): Calendar {
  if (timeZone === utc) return { dayAt: (timeMs) => Math.floor(timeMs / dayMs), startOfDay: (day) => day * dayMs };
  const dayAt = wallDate(timeZone);
  return { dayAt, startOfDay: (day) => firstInstantOf(day, dayAt) };
}

/**
 * Midnight by the wall is not always there, nor always once: clocks go from 00:00 to 01:00, and dates have been left out.
 * The first instant of a date or a later one is there in every zone, and neighbouring periods agree on it.
 */
function firstInstantOf(day: number, dayAt: (timeMs: number) => number): number {
  let before = day * dayMs - furthestAheadMs;
  let after = day * dayMs + furthestBehindMs;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dayAt(middle) < day) before = middle;
    else after = middle;
  }
  return after;
}

function wallDate(timeZone: string): (timeMs: number) => number {
  const format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  });
  return (timeMs) => {
    const parts = new Map(format.formatToParts(timeMs).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(parts.get("year") ?? Number.NaN, (parts.get("month") ?? Number.NaN) - 1, parts.get("day")) / dayMs;
  };
}
