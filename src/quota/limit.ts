import { each, type LimitSetting } from "../tenant/limit-setting.ts";

/** A setting that applies to one request, with the counter that it is counted on. */
export interface AppliedLimit {
  readonly setting: LimitSetting;
  /** Unique within the tenant; the setting's name and what the counter is kept apart by. */
  readonly counter: string;
}

/** What a request is held or charged for. `concurrent` needs no amount: it is one from reserve to settle. */
export interface Amounts {
  readonly requests: number;
  readonly tokens: number;
  readonly microUsd: number;
}

/** The limits of a tenant that one request falls under. */
export function appliedLimits(settings: readonly LimitSetting[], keyId: string, model: string): AppliedLimit[] {
  const applied: AppliedLimit[] = [];
  for (const setting of settings) {
    if (setting.key !== undefined && setting.key !== each && setting.key !== keyId) continue;
    if (setting.model !== undefined && setting.model !== each && setting.model !== model) continue;
    const key = setting.key === undefined ? "" : `|key=${keyId}`;
    const ofModel = setting.model === undefined ? "" : `|model=${model}`;
    applied.push({ setting, counter: `${setting.name}${key}${ofModel}` });
  }
  return applied;
}
