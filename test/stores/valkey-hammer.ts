/** A gateway process as `valkey-processes.test.ts` forks it: reserves and settles on a shared server until nothing more fits. */
import { once } from "node:events";
import { SlicedQuota } from "../../src/quota/slices/sliced-quota.ts";
import type { QuotaStore } from "../../src/quota/store.ts";
import { requestId } from "../../src/request-id.ts";
import { systemClock, systemEntropy } from "../../src/runtime/node/clock.ts";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { openValkeyQuota } from "../../src/runtime/node/valkey.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { amounts, apply, reservation } from "./samples.ts";
import { worldBeginsMs } from "./store-world.ts";

export interface HammerOrder {
  readonly address: string;
  readonly name: string;
  readonly ceiling: number;
  readonly concurrent: number;
  readonly workers: number;
  /** How wrong this process's clock is. */
  readonly skewMs: number;
  /** Leaves every reservation open, for a parent that kills this process. */
  readonly leaveOpen: boolean;
  /** Where to hold what is admitted from slices; `undefined`: every request is decided by the server. */
  readonly sliceFolder: string | undefined;
}

export type HammerReport =
  | { readonly kind: "ready" }
  | { readonly kind: "reserved"; readonly id: string }
  | {
      readonly kind: "done";
      readonly charged: number;
      readonly spans: readonly (readonly [fromMs: number, toMs: number])[];
      readonly refused: number;
      /** Calls to the server that took, settled or renewed something. */
      readonly calls: number;
    };

const order = JSON.parse(process.argv[2] ?? "") as HammerOrder;
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const store = await openValkeyQuota(order.address, silent, { testTime: true, quarantineMs: 0 });
let calls = 0;
const counted: QuotaStore = {
  expire: (count) => store.quota.expire(count),
  recorded: (tenantId, ids) => store.quota.recorded(tenantId, ids),
  inspect: (tenantId, limits) => store.quota.inspect(tenantId, limits),
  reserve: (request) => (calls++, store.quota.reserve(request)),
  settle: (settlement) => (calls++, store.quota.settle(settlement)),
  renew: (tenantId, ids, leaseMs) => (calls++, store.quota.renew(tenantId, ids, leaseMs)),
};
const local = order.sliceFolder === undefined ? undefined : openSqliteStores(order.sliceFolder, systemClock);
const quota =
  local === undefined
    ? counted
    : new SlicedQuota({
        exact: counted,
        local: local.quota,
        clock: systemClock,
        elapsedMs: () => performance.now(),
        newId: () => requestId(systemEntropy, systemClock),
        log: silent,
      });
const setting = (name: string, unit: LimitSetting["unit"], window: LimitSetting["window"], ceiling: number): LimitSetting => ({
  name,
  unit,
  window,
  ceiling,
  burst: undefined,
  key: undefined,
  model: undefined,
  slices: order.sliceFolder !== undefined,
});
const settings = [
  setting("daily", "tokens", "day", order.ceiling),
  setting("concurrent", "concurrent", "open", order.concurrent),
];
// The periods around what this process takes for the time.
const limits = settings.map((one) => apply(one, "", undefined, worldBeginsMs + order.skewMs));
const spans: [number, number][] = [];
let charged = 0;
let refused = 0;
let serial = 0;

function preciseMs(): number {
  return performance.timeOrigin + performance.now();
}

async function work(): Promise<void> {
  for (;;) {
    const id = `${order.name}-${serial++}`;
    const outcome = await quota.reserve(reservation(id, limits, amounts(10)));
    if (!outcome.admitted) {
      refused++;
      if (outcome.binding.limit.counter === "daily" && outcome.binding.remaining < 10 && (await isIdle())) return;
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    const fromMs = preciseMs();
    if (order.leaveOpen) {
      process.send?.({ kind: "reserved", id } satisfies HammerReport);
      continue;
    }
    if (serial % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    const used = (serial * 7) % 11;
    spans.push([fromMs, preciseMs()]);
    await quota.settle({ id, tenantId: "acme", charge: amounts(used) });
    charged += used;
  }
}

/** Whether nothing is in flight in any process any more, so that a refusal is final. */
async function isIdle(): Promise<boolean> {
  const [daily, concurrent] = await store.quota.inspect("acme", limits);
  return concurrent?.remaining === order.concurrent && (daily?.remaining ?? 0) < 10;
}

// Begins when all are connected: the quickest would otherwise leave nothing to the others.
process.send?.({ kind: "ready" } satisfies HammerReport);
await once(process, "message");
await Promise.all(Array.from({ length: order.workers }, work));
store.close();
local?.close();
// A long report that is still on its way when the channel is closed does not arrive.
process.send?.({ kind: "done", charged, spans, refused, calls } satisfies HammerReport, () => process.disconnect?.());
