import { amountOf } from "../quota/counter.ts";
import type { QuotaHistory, UsedCounter } from "../quota/history.ts";
import { appliedLimits } from "../quota/limit.ts";
import type { Directory } from "../tenant/directory.ts";
import { periodAt, periodsAround, utc } from "../tenant/periods.ts";
import type { UsedReader } from "./used-amounts.ts";

/** What each counter of a tenant has used, by its receipts and the limits that it has now. */
export class JournalHistory implements QuotaHistory {
  readonly #directory: Directory;
  readonly #reader: UsedReader;
  readonly #tierOf: (model: string) => string | undefined;

  /** @param tierOf `undefined` for a model that the catalogue does not have any more: its tier is not known, nor counted. */
  constructor(directory: Directory, reader: UsedReader, tierOf: (model: string) => string | undefined) {
    this.#directory = directory;
    this.#reader = reader;
    this.#tierOf = tierOf;
  }

  async counters(tenantId: string, nowMs: number, except: ReadonlySet<string>): Promise<readonly UsedCounter[]> {
    const entry = await this.#directory.find(tenantId);
    const counters = new Map<string, UsedCounter>();
    for (const window of ["day", "month"] as const) {
      const settings = entry?.limits.filter((setting) => setting.window === window) ?? [];
      if (settings.length === 0) continue;
      const timeZone = entry?.tenant.timeZone;
      const period = periodAt(periodsAround(window, timeZone ?? utc, nowMs), nowMs);
      const byEndUser = settings.some((setting) => setting.endUser !== undefined);
      const seen = await this.#reader.used({ tenantId, fromMs: period.startMs, toMs: period.endMs, except, byEndUser });
      for (const { keyId, model, endUser, amounts } of seen) {
        const tier = this.#tierOf(model);
        const known = tier === undefined ? settings.filter((setting) => setting.tier === undefined) : settings;
        for (const limit of appliedLimits(known, { keyId, model, tier: tier ?? "", endUser, timeZone }, nowMs)) {
          const name = `${window}/${limit.setting.unit}/${limit.counter}`;
          const used = (counters.get(name)?.used ?? 0) + amountOf(limit.setting.unit, amounts);
          if (used > 0) counters.set(name, { limit, period, used });
        }
      }
    }
    return [...counters.values()];
  }
}
