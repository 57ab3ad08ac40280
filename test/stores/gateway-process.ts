/** The stores of a gateway in a process of its own, as `valkey-accounting.test.ts` forks it: reserves and ends requests as it is told. */
import { appliedLimits } from "../../src/quota/limit.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { sweepExpired } from "../../src/ledger/sweep.ts";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { readConfig } from "../../src/runtime/node/config.ts";
import { openStores } from "../../src/runtime/node/stores.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { amounts, auditEntry, directoryEntry, receipt, reservation } from "./samples.ts";

export interface GatewayOrder {
  /** `undefined`: journal and directory are in the data directory. */
  readonly databaseUrl: string | undefined;
  readonly quotaUrl: string;
  readonly dataDir: string;
  readonly tenantId: string;
  readonly processes: number;
  readonly leaseMs: number;
  /** Of the day, in tokens. */
  readonly ceiling: number;
  /** Whether its limits are held in slices. */
  readonly slices: boolean;
}

export type GatewayCommand =
  | { readonly do: "reserve"; readonly id: string; readonly tokens: number }
  | { readonly do: "end"; readonly id: string; readonly tokens: number }
  | { readonly do: "left" }
  | { readonly do: "writers" }
  | { readonly do: "dismiss"; readonly id: string }
  | { readonly do: "stop" };

/** `unavailable` with what the store said. */
export type GatewayAnswer =
  | "admitted"
  | "refused"
  | "ended"
  | "dismissed"
  | "stopped"
  | number
  | readonly string[]
  | { readonly unavailable: string };

const order = JSON.parse(process.argv[2] ?? "") as GatewayOrder;
const { tenantId } = order;
const read = readConfig({
  STRAIT_DATABASE_URL: order.databaseUrl,
  STRAIT_QUOTA_URL: order.quotaUrl,
  STRAIT_DATA_DIR: order.dataDir,
  STRAIT_PROCESSES: String(order.processes),
  STRAIT_DIRECTORY_STALENESS_MS: "60000",
});
if (!read.ok) throw new Error(read.problems.join("\n"));
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const stores = await openStores(read.config, systemClock, silent, () => "standard");
const daily: LimitSetting = {
  name: "daily",
  unit: "tokens",
  window: "day",
  ceiling: order.ceiling,
  burst: undefined,
  key: undefined,
  model: undefined,
  ...(order.slices ? { slices: true } : {}),
};
if ((await stores.directory.find(tenantId)) === undefined)
  await stores.directory.save({ ...directoryEntry(tenantId, 1), limits: [daily] }, auditEntry(`of ${process.pid}`, tenantId));
const sweeping = setInterval(
  () => void sweepExpired(stores.quota, stores.journal, silent).catch(() => undefined),
  order.leaseMs / 3,
);

const limits = (): ReturnType<typeof appliedLimits> =>
  appliedLimits(
    [daily],
    { keyId: "key_1", model: "model-a", tier: "standard", endUser: undefined, timeZone: undefined },
    systemClock.nowMs(),
  );

async function obey(command: GatewayCommand): Promise<GatewayAnswer> {
  switch (command.do) {
    case "reserve": {
      const { id, tokens } = command;
      const hold = amounts(tokens);
      const unsettled = receipt(id, { tenantId, end: "unsettled", startedAtMs: systemClock.nowMs(), chargedTokens: tokens });
      const request = reservation(id, limits(), hold, { tenantId, leaseMs: order.leaseMs, intent: JSON.stringify(unsettled) });
      return (await stores.quota.reserve(request)).admitted ? "admitted" : "refused";
    }
    case "end": {
      const { id, tokens } = command;
      const settled = receipt(id, { tenantId, startedAtMs: systemClock.nowMs(), chargedTokens: tokens });
      await stores.books.close(settled, { id, tenantId, charge: { ...amounts(tokens), requests: 0 } });
      return "ended";
    }
    case "left":
      return (await stores.quota.inspect(tenantId, limits()))[0]?.remaining ?? Number.NaN;
    case "writers":
      return ((await stores.writers?.list()) ?? []).map(({ id }) => id);
    case "dismiss":
      await stores.writers?.dismiss(command.id);
      return "dismissed";
    case "stop":
      clearInterval(sweeping);
      await stores.close();
      return "stopped";
  }
}

async function answer(command: GatewayCommand): Promise<GatewayAnswer> {
  try {
    return await obey(command);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return { unavailable: error.message };
  }
}

async function reply(command: GatewayCommand): Promise<void> {
  process.send?.(await answer(command));
  if (command.do === "stop") process.disconnect?.();
}

process.on("message", (command: GatewayCommand) => void reply(command));
process.send?.("ready");
