/** Holds a request's worst case against all its limits at once, or says which of them refused. */
import type { ExchangePorts } from "./exchange-ports.ts";
import { journalText } from "./ledger/journal-text.ts";
import { intentReceipt, type ReceiptBasis } from "./ledger/make-receipt.ts";
import { holdsRetryMs } from "./quota/counter.ts";
import { appliedLimits, type AppliedLimit } from "./quota/limit.ts";
import type { LimitState } from "./quota/store.ts";
import type { LimitedBy, Refusal } from "./refusal.ts";
import type { Caller } from "./tenant/authenticate.ts";
import type { LimitSetting } from "./tenant/limit-setting.ts";

export interface Reserved {
  readonly states: readonly LimitState[];
  readonly near: readonly LimitState[];
  /** Limits in shadow mode that would have refused it. */
  readonly shadowed: readonly LimitState[];
  readonly refusal: Refusal | undefined;
}

export async function reserve(basis: ReceiptBasis, ports: ExchangePorts): Promise<Reserved> {
  const { caller, permit, hold } = basis;
  const nowMs = ports.clock.nowMs();
  const limits = appliedLimits(
    caller.entry.limits,
    {
      keyId: caller.keyId,
      model: permit.model.id,
      tier: permit.model.tier,
      endUser: basis.endUser,
      timeZone: caller.tenant.timeZone,
    },
    nowMs,
  );
  const outcome = await ports.quota.reserve({
    id: basis.requestId,
    tenantId: caller.tenant.id,
    limits,
    hold: hold.amounts,
    leaseMs: ports.settings.leaseMs,
    intent: journalText(intentReceipt(basis)),
  });
  ports.limitNotices?.tell(caller.tenant.id, outcome, nowMs, ports.log);
  const { states, near, shadowed } = outcome;
  if (outcome.admitted) return { states, near, shadowed, refusal: undefined };
  const { setting } = outcome.binding.limit;
  const common = {
    limitedBy: limitedBy(setting),
    limit: setting.name,
    unit: setting.unit,
    window: setting.window,
    ceiling: setting.ceiling,
    burst: setting.burst,
    asked: outcome.asked,
  } as const;
  return {
    states,
    near,
    shadowed,
    refusal: outcome.neverFits
      ? { kind: "never_fits", ...common }
      : {
          kind: "limit_reached",
          ...common,
          remaining: outcome.binding.remaining,
          retryAfterMs: outcome.retryAfterMs,
          ...periodOf(outcome.binding.limit, outcome.retryAfterMs, nowMs),
        },
  };
}

/**
 * The limits as they stand, for an answer that reserved nothing: a refusal before the reservation, or a look-up. Empty where
 * the store cannot tell, because a header must not be what an answer fails by.
 */
export async function limitsAsTheyStand(caller: Caller, ports: ExchangePorts): Promise<readonly LimitState[]> {
  const { tenant, entry, keyId } = caller;
  // Of no model and no end user: only what counts for every request of this key.
  const wide = entry.limits.filter(
    ({ model, tier, endUser }) => model === undefined && tier === undefined && endUser === undefined,
  );
  const subject = { keyId, model: "", tier: "", endUser: undefined, timeZone: tenant.timeZone };
  try {
    return await ports.quota.inspect(tenant.id, appliedLimits(wide, subject, ports.clock.nowMs()));
  } catch {
    return [];
  }
}

/**
 * When a calendar window ends: of the boundaries the one next to where the store's own wait leads, for the clock here may
 * differ from the store's.
 */
function periodOf(
  { periods }: AppliedLimit,
  retryAfterMs: number,
  nowMs: number,
): { periodEndsMs?: number; heldByOpen?: boolean } {
  if (periods.length === 0) return {};
  if (retryAfterMs <= holdsRetryMs) return { heldByOpen: true };
  const ends = periods.map((period) => period.endMs);
  const distance = (endMs: number): number => Math.abs(endMs - nowMs - retryAfterMs);
  return { periodEndsMs: ends.reduce((nearest, endMs) => (distance(endMs) < distance(nearest) ? endMs : nearest)) };
}

/** The narrowest of what the limit is kept apart by: that is whose use has to change. */
function limitedBy(setting: LimitSetting): LimitedBy {
  if (setting.endUser !== undefined) return "end user";
  if (setting.key !== undefined) return "key";
  if (setting.model !== undefined) return "model";
  return setting.tier === undefined ? "tenant" : "tier";
}

export function namesOf(states: readonly LimitState[]): string[] {
  return states.map(({ limit }) => limit.setting.name);
}
