import { request } from "undici";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import type { TenantFacts } from "../../src/tenant/tenant.ts";
import { tenantCountry } from "./strait-regions.ts";
import type { BenchModel } from "./strait-regions.ts";

const everywhere = { burst: undefined, key: undefined, model: undefined };

/** Limits of every unit and window, so that each request is held against all of them, and so high that none is reached. */
export const limits: readonly LimitSetting[] = [
  { name: "requests-per-minute", unit: "requests", window: "minute", ceiling: 10_000_000_000, ...everywhere },
  { name: "tokens-per-minute", unit: "tokens", window: "minute", ceiling: 10_000_000_000, ...everywhere },
  { name: "concurrent", unit: "concurrent", window: "open", ceiling: 1_000_000, ...everywhere },
  { name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 1_000_000_000_000, ...everywhere },
  { name: "tokens-per-month", unit: "tokens", window: "month", ceiling: 1_000_000_000_000, ...everywhere },
  { name: "spend-per-month", unit: "micro_usd", window: "month", ceiling: 1_000_000_000_000_000, ...everywhere },
];

export const facts: TenantFacts = {
  registeredCountry: tenantCountry,
  headquartersCountry: tenantCountry,
  ultimateParentCountry: tenantCountry,
  endUse: "customer support",
  audience: "internal",
};

/** Makes a verified tenant through the operators' API and returns a key of it. */
export async function tenantKey(origin: string, operatorKey: string, model: BenchModel): Promise<string> {
  const call = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const headers = { authorization: `Bearer ${operatorKey}`, "content-type": "application/json" };
    const answer = await request(`${origin}/control/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    const text = await answer.body.text();
    if (answer.statusCode >= 300)
      throw new Error(`the operators' API answered ${answer.statusCode} to POST ${path}: ${text.slice(0, 300)}`);
    return JSON.parse(text) as Record<string, unknown>;
  };
  await call("/tenants", { id: "bench", name: "Bench", facts, tiers: [model.tier], limits });
  await call("/tenants/bench/verification", { state: "verified", evidence: "bench", reason: "bench", by: "bench" });
  const { key } = await call("/tenants/bench/keys", { name: "bench" });
  if (typeof key !== "string") throw new Error("the operators' API issued no key");
  return key;
}
