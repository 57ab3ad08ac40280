import type { Log } from "../log.ts";
import type { LimitState, ReserveOutcome } from "./store.ts";

/** How often one counter is spoken of: a busy tenant near its limit must not fill the log with it. */
const everyMs = 600_000;
const keptNotices = 10_000;

/** Tells the operator's log of limits that are nearly used up, and of what limits in shadow mode would have refused. */
export class LimitNotices {
  readonly #toldAtMs = new Map<string, number>();

  tell(tenantId: string, outcome: ReserveOutcome, nowMs: number, log: Log): void {
    for (const state of outcome.near) this.#once("a limit is nearly used up", tenantId, state, nowMs, log);
    for (const state of outcome.shadowed)
      this.#once("a limit in shadow mode would have refused a request", tenantId, state, nowMs, log);
  }

  #once(message: string, tenantId: string, { limit, capacity, remaining }: LimitState, nowMs: number, log: Log): void {
    const name = `${message}\n${tenantId}\n${limit.counter}`;
    const toldAtMs = this.#toldAtMs.get(name);
    if (toldAtMs !== undefined && nowMs - toldAtMs < everyMs && nowMs >= toldAtMs) return;
    this.#toldAtMs.delete(name);
    this.#toldAtMs.set(name, nowMs);
    this.#forgetOldest();
    log.warn(message, {
      tenant: tenantId,
      limit: limit.counter,
      unit: limit.setting.unit,
      window: limit.setting.window,
      capacity,
      remaining,
    });
  }

  #forgetOldest(): void {
    if (this.#toldAtMs.size <= keptNotices) return;
    const [oldest] = this.#toldAtMs.keys();
    if (oldest !== undefined) this.#toldAtMs.delete(oldest);
  }
}
