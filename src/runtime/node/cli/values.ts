import { readFileSync } from "node:fs";
import { errorCode } from "../error-code.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";

/** A non-negative integer; `_` may part its digits. */
export function wholeNumber(text: string, option: string): number {
  const number = /^[0-9]+(_[0-9]+)*$/.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw usageFailure(`--${option} takes a whole number, such as 1000 or 1_000; not "${text}".`);
  return number;
}

/**
 * US dollars as micro-USD, digit by digit: through a float, 4.35 would not be 4,350,000.
 */
export function microUsd(text: string, option: string): number {
  const match = /^([0-9]{1,10})(?:\.([0-9]{1,6}))?$/.exec(text);
  const micro = match === null ? Number.NaN : Number(`${match[1] ?? ""}${(match[2] ?? "").padEnd(6, "0")}`);
  if (!Number.isSafeInteger(micro))
    throw usageFailure(`--${option} takes US dollars with at most six decimals, such as 250 or 99.50; not "${text}".`);
  return micro;
}

/** Micro-USD as dollars, for people. */
export function showMicroUsd(micro: number): string {
  const digits = String(micro).padStart(7, "0");
  const decimals = digits.slice(-6).replace(/0+$/, "");
  return `$${digits.slice(0, -6)}${decimals === "" ? "" : `.${decimals.padEnd(2, "0")}`}`;
}

/** Milliseconds since the epoch. */
export function instantMs(text: string, option: string): number {
  const atMs = /^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs))
    throw usageFailure(`--${option} takes a time with its offset, such as 2026-12-01T00:00:00Z; not "${text}".`);
  return atMs;
}

/** `a,b` as a list, without blanks and empty parts. */
export function commaList(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** A time as RFC 3339, or days from now as `90d`; whether it makes sense is the API's to say. */
export function expiry(text: string, nowMs: number): string {
  const days = /^([0-9]{1,5})d$/.exec(text)?.[1];
  return days === undefined ? text : new Date(nowMs + Number(days) * 86_400_000).toISOString();
}

/** A JSON document from a file; `-` is standard input. */
export function jsonFile(path: string): unknown {
  const text = textFile(path);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Failure(exitCodes.usage, `${path} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** `-` is standard input. */
export function textFile(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (error) {
    throw usageFailure(`${path} cannot be read (${errorCode(error)}).`);
  }
}
