import { appliedLimits, type AppliedLimit } from "../../src/quota/limit.ts";
import type { ReservationRequest } from "../../src/quota/store.ts";
import { each, type LimitSetting } from "../../src/tenant/limit-setting.ts";
import { limits } from "../proxies/strait-control.ts";

/** The bench's limits of a tenant, and one of every key: two rows of counters a request. */
const settings: readonly LimitSetting[] = [
  ...limits,
  {
    name: "key-requests-per-minute",
    unit: "requests",
    window: "minute",
    ceiling: 10_000_000_000,
    burst: undefined,
    key: each,
    model: undefined,
  },
];

export const hold = { requests: 1, tokens: 800, inputTokens: 300, outputTokens: 500, microUsd: 4_600 } as const;
export const charge = { requests: 0, tokens: 270, inputTokens: 212, outputTokens: 58, microUsd: 888 } as const;

/** About as long as a real one. */
const intent = JSON.stringify({ requestId: "req", receipt: "r".repeat(900) });

/** Each has a key of the same name, which is a counter of its own all the same. */
const keyId = "key_bench";
const template = "bench_template";

/** A tenant whose counters all others' are copies of. */
export const templateTenant: string = template;

export function tenantAt(index: number): string {
  return `bench_${String(index).padStart(8, "0")}`;
}

/** Periods end at midnight, and no run of the bench is that long: worked out once, as a gateway remembers them. */
export function benchLimits(nowMs: number): readonly AppliedLimit[] {
  return appliedLimits(settings, { keyId, model: "model", tier: "tier", endUser: undefined, timeZone: undefined }, nowMs);
}

export function reservation(id: string, tenantId: string, applied: readonly AppliedLimit[]): ReservationRequest {
  return { id, tenantId, limits: applied, hold, leaseMs: 60_000, intent };
}
