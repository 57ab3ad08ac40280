import { env } from "cloudflare:workers";
import type { AppliedLimit } from "../../src/quota/limit.ts";
import type { ExpiredReservation, LimitState, ReserveOutcome } from "../../src/quota/store.ts";
import { shardsPerTenant } from "../../src/runtime/worker/object-stubs.ts";
import type { StoreWorld } from "../stores/store-world.ts";
import { objectWorld } from "./object-world.ts";
import type { UnsweptShardObject } from "./worker-under-test.ts";

/** The world of `objectWorld`, where every limit allows slices: every request goes by one of its tenant's shards. */
export async function shardWorld(): Promise<StoreWorld> {
  const world = await objectWorld();
  const shards = ["acme", "other"].flatMap((tenantId) =>
    Array.from({ length: shardsPerTenant }, (_, index) => () => shardOf(tenantId, index)),
  );
  return {
    ...world,
    quota: {
      ...world.quota,
      async reserve(request) {
        const outcome = await world.quota.reserve({ ...request, limits: request.limits.map(sliced) });
        return asAsked(outcome, request.limits);
      },
      async expire(count) {
        const expired: ExpiredReservation[] = [...(await world.quota.expire(count))];
        for (const shard of shards) expired.push(...(await shard().expireNow(count - expired.length)));
        return expired;
      },
      async recorded(tenantId, ids) {
        await world.quota.recorded(tenantId, ids);
        for (const shard of shards) await shard().recordedNow(tenantId, ids);
      },
    },
  };
}

function shardOf(tenantId: string, index: number): Pick<UnsweptShardObject, "expireNow" | "recordedNow"> {
  const stub: unknown = env.UNSWEPT_SHARDS.get(env.UNSWEPT_SHARDS.idFromName(`${tenantId}#${index}`));
  return stub as UnsweptShardObject;
}

function sliced(limit: AppliedLimit): AppliedLimit {
  return { ...limit, setting: { ...limit.setting, slices: true } };
}

/** With the limits that the suite knows. */
function asAsked(outcome: ReserveOutcome, limits: readonly AppliedLimit[]): ReserveOutcome {
  const known = (state: LimitState): LimitState => ({
    ...state,
    limit: limits.find(({ counter }) => counter === state.limit.counter) ?? state.limit,
  });
  const reported = {
    states: outcome.states.map(known),
    shadowed: outcome.shadowed.map(known),
    near: outcome.near.map(known),
  };
  return outcome.admitted ? { ...outcome, ...reported } : { ...outcome, ...reported, binding: known(outcome.binding) };
}
