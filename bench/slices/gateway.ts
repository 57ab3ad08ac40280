import { setTimeout as delay } from "node:timers/promises";
import { appliedLimits } from "../../src/quota/limit.ts";
import { SlicedQuota } from "../../src/quota/slices/sliced-quota.ts";
import { StoreUnavailable, type QuotaStore } from "../../src/quota/store.ts";
import { requestId } from "../../src/request-id.ts";
import { systemClock, systemEntropy } from "../../src/runtime/node/clock.ts";
import { log } from "../../src/runtime/node/log.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { openValkeyQuota } from "../../src/runtime/node/valkey.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { charge, reservation } from "../stores/tenants.ts";
import type { GatewayCost, GatewayLoad, GatewayOrder } from "./order.ts";

/** A process that reserves and settles as a gateway does, by a shared store or by slices. Ends with its parent. */
const order = JSON.parse(process.argv[2] ?? "") as GatewayOrder;
/** How long a request is open. */
const openMs = 50;
/** Requests come as a busy edge gets them, several at a time. */
const tickMs = 5;

const { quota: shared } = await openValkeyQuota(order.address, log);
let calls = 0;
const exact: QuotaStore = {
  reserve: (request) => (calls++, shared.reserve(request)),
  settle: (settlement) => (calls++, shared.settle(settlement)),
  renew: (tenantId, ids, leaseMs) => (calls++, shared.renew(tenantId, ids, leaseMs)),
  expire: (count) => shared.expire(count),
  recorded: (tenantId, ids) => shared.recorded(tenantId, ids),
  inspect: (tenantId, limits) => shared.inspect(tenantId, limits),
};
const { quota: local } = openSqliteStores(order.folder, systemClock, { exclusive: true, checkpointThread: true });
const quota = new SlicedQuota({
  exact,
  local,
  clock: systemClock,
  elapsedMs: () => performance.now(),
  newId: () => requestId(systemEntropy, systemClock),
  log,
});

function settingsOf({ tokensPerMinute }: GatewayLoad): readonly LimitSetting[] {
  const common = { key: undefined, model: undefined, slices: order.slices };
  const burst = Math.floor(tokensPerMinute / 30);
  return [
    { ...common, name: "tokens-per-minute", unit: "tokens", window: "minute", ceiling: tokensPerMinute, burst },
    { ...common, name: "requests-per-day", unit: "requests", window: "day", ceiling: 1_000_000_000, burst: undefined },
    { ...common, name: "usd-per-month", unit: "micro_usd", window: "month", ceiling: 1_000_000_000_000, burst: undefined },
    { ...common, name: "concurrent", unit: "concurrent", window: "open", ceiling: 100_000, burst: undefined },
  ];
}

async function run(load: GatewayLoad): Promise<GatewayCost> {
  const { tenantId, requestsPerSecond, forMs } = load;
  const subject = { keyId: "key", model: "model", tier: "tier", endUser: undefined, timeZone: undefined };
  const limits = appliedLimits(settingsOf(load), subject, systemClock.nowMs());
  const callsBefore = calls;
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  let [sent, admitted, refused, unanswered] = [0, 0, 0, 0];
  const one = async (): Promise<void> => {
    const id = requestId(systemEntropy, systemClock);
    const outcome = await quota.reserve(reservation(id, tenantId, limits));
    if (!outcome.admitted) return void refused++;
    admitted++;
    await delay(openMs);
    await quota.settle({ id, tenantId, charge });
  };
  const open: Promise<void>[] = [];
  for (let elapsedMs = 0; elapsedMs < forMs; elapsedMs = performance.now() - beganMs) {
    for (const due = Math.floor((elapsedMs * requestsPerSecond) / 1_000); sent < due; sent++) {
      open.push(
        one().catch((error: unknown) => {
          if (!(error instanceof StoreUnavailable)) throw error;
          unanswered++;
        }),
      );
    }
    await delay(tickMs);
  }
  await Promise.all(open);
  const { user, system } = process.cpuUsage(cpuBefore);
  return { admitted, refused, unanswered, calls: calls - callsBefore, cpuMs: (user + system) / 1_000 };
}

process.on("message", (load: GatewayLoad) => {
  run(load).then(
    (cost) => process.send?.({ cost }),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  );
});
process.once("disconnect", () => process.exit(0));
process.send?.({ ready: true });
