import type { AppliedLimit } from "../../src/quota/limit.ts";
import { amounts } from "./samples.ts";

export interface NaiveReservation {
  readonly id: string;
  readonly limits: readonly AppliedLimit[];
  readonly tokens: number;
  readonly admittedAtMs: number;
  expiresAtMs: number;
  state: "open" | "expired" | "settled";
  /** What counts against calendar windows. */
  charged: number;
}

interface Charge {
  readonly limits: readonly AppliedLimit[];
  readonly atMs: number;
  readonly tokens: number;
}

/**
 * What the quota store should say, worked out each time from the whole history with nothing carried along: slow, and
 * shares no line with what it checks. Time only goes forward here.
 */
export class NaiveQuota {
  readonly reservations: NaiveReservation[] = [];
  readonly #charges: Charge[] = [];
  readonly #zoneOf: (limit: AppliedLimit) => string;
  #nowMs: number;

  /** `zoneOf` says by which wall a limit's days and months are counted. */
  constructor(nowMs: number, zoneOf: (limit: AppliedLimit) => string) {
    this.#nowMs = nowMs;
    this.#zoneOf = zoneOf;
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
  }

  reserve(id: string, limits: readonly AppliedLimit[], tokens: number, leaseMs: number): boolean {
    const fits = limits.every((limit) => {
      const asked = this.#asked(limit, tokens);
      return limit.setting.shadow === true || asked === 0 || asked <= this.remaining(limit);
    });
    if (!fits) return false;
    const admittedAtMs = this.#nowMs;
    this.reservations.push({
      id,
      limits,
      tokens,
      admittedAtMs,
      expiresAtMs: admittedAtMs + leaseMs,
      state: "open",
      charged: tokens,
    });
    return true;
  }

  settle(id: string, charge: number): boolean {
    const found = this.reservations.find((one) => one.id === id);
    if (found === undefined || found.state === "settled") return false;
    if (found.state === "open") this.#charges.push({ limits: found.limits, atMs: this.#nowMs, tokens: charge });
    found.state = "settled";
    found.charged = charge;
    return true;
  }

  renew(id: string, leaseMs: number): void {
    const found = this.reservations.find((one) => one.id === id);
    if (found?.state === "open") found.expiresAtMs = Math.max(found.expiresAtMs, this.#nowMs + leaseMs);
  }

  /** The ids of all that have expired and are not settled. */
  expire(): string[] {
    for (const one of this.reservations) {
      if (one.state !== "open" || one.expiresAtMs > this.#nowMs) continue;
      one.state = "expired";
      this.#charges.push({ limits: one.limits, atMs: this.#nowMs, tokens: one.tokens });
    }
    return this.reservations.filter((one) => one.state === "expired").map((one) => one.id);
  }

  remaining(limit: AppliedLimit): number {
    const { setting } = limit;
    const counted = this.reservations.filter((one) => one.limits.includes(limit));
    const held = counted.filter((one) => one.state === "open").reduce((sum, one) => sum + this.#asked(limit, one.tokens), 0);
    if (setting.window === "open") return setting.ceiling - held;
    if (setting.window === "minute") {
      const capacity = setting.burst ?? setting.ceiling;
      if (setting.unit === "requests")
        return (
          capacity -
          this.#level(
            setting.ceiling,
            counted.map((one) => ({ atMs: one.admittedAtMs, units: 1 })),
          )
        );
      const charges = this.#charges.filter((one) => one.limits.includes(limit));
      return (
        capacity -
        held -
        this.#level(
          setting.ceiling,
          charges.map((one) => ({ atMs: one.atMs, units: this.#asked(limit, one.tokens) })),
        )
      );
    }
    const length = setting.window === "day" ? 10 : 7;
    // The Swedish way of writing a date is the ISO one.
    const wall = new Intl.DateTimeFormat("sv-SE", { timeZone: this.#zoneOf(limit), dateStyle: "short" });
    const period = (timeMs: number): string => wall.format(timeMs).slice(0, length);
    const ofPeriod = counted.filter((one) => period(one.admittedAtMs) === period(this.#nowMs));
    return setting.ceiling - ofPeriod.reduce((sum, one) => sum + this.#asked(limit, one.charged), 0);
  }

  /** What is in a bucket now that had this poured into it, in whole units rounded up. */
  #level(ratePerMinute: number, poured: readonly { readonly atMs: number; readonly units: number }[]): number {
    let level = 0n;
    let atMs = 0;
    for (const one of [...poured, { atMs: this.#nowMs, units: 0 }]) {
      const leaked = BigInt(one.atMs - atMs) * BigInt(ratePerMinute);
      level = (level > leaked ? level - leaked : 0n) + BigInt(one.units) * 60_000n;
      atMs = one.atMs;
    }
    return Number((level + 59_999n) / 60_000n);
  }

  #asked(limit: AppliedLimit, tokens: number): number {
    const { inputTokens, outputTokens } = amounts(tokens);
    const { unit } = limit.setting;
    if (unit === "input_tokens") return inputTokens;
    if (unit === "output_tokens") return outputTokens;
    return unit === "tokens" ? tokens : 1;
  }
}
