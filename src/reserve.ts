/** Holds a request's worst case against all its limits at once, or says which of them refused. */
import type { ExchangePorts } from "./exchange-ports.ts";
import { intentReceipt, type ReceiptBasis } from "./ledger/make-receipt.ts";
import { appliedLimits } from "./quota/limit.ts";
import type { LimitState } from "./quota/store.ts";
import type { Refusal } from "./refusal.ts";

export interface Reserved {
  readonly states: readonly LimitState[];
  readonly refusal: Refusal | undefined;
}

export async function reserve(basis: ReceiptBasis, ports: ExchangePorts): Promise<Reserved> {
  const { caller, permit, hold } = basis;
  const limits = appliedLimits(caller.entry.limits, caller.keyId, permit.model.id);
  const outcome = await ports.quota.reserve({
    id: basis.requestId,
    tenantId: caller.tenant.id,
    limits,
    hold: hold.amounts,
    leaseMs: ports.settings.leaseMs,
    intent: JSON.stringify(intentReceipt(basis)),
  });
  if (outcome.admitted) return { states: outcome.states, refusal: undefined };
  const { setting } = outcome.binding.limit;
  const common = {
    limitedBy: setting.key !== undefined ? "key" : setting.model !== undefined ? "model" : "tenant",
    limit: setting.name,
    unit: setting.unit,
    window: setting.window,
    ceiling: outcome.binding.capacity,
    asked: outcome.asked,
  } as const;
  return {
    states: outcome.states,
    refusal: outcome.neverFits
      ? { kind: "never_fits", ...common }
      : { kind: "limit_reached", ...common, remaining: outcome.binding.remaining, retryAfterMs: outcome.retryAfterMs },
  };
}
