import { systemClock, systemEntropy } from "../../src/runtime/node/clock.ts";
import { requestId } from "../../src/request-id.ts";
import { openStore } from "./open-store.ts";
import type { StoreCost, StoreLoad, StoreOrder } from "./order.ts";
import { benchLimits, charge, reservation, tenantAt } from "./tenants.ts";

/** A process that does nothing but reserve and settle. Ends with its parent. */
const order = JSON.parse(process.argv[2] ?? "") as StoreOrder;
/** Requests in flight, so that stores can take several in one turn of the event loop, as a busy gateway's do. */
const inFlight = 64;

const store = await openStore(order);
const applied = benchLimits(systemClock.nowMs());
let turn = 0;

async function run({ calling, forMs }: StoreLoad): Promise<StoreCost> {
  const before = await store.seen();
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  let pairs = 0;
  const client = async (): Promise<void> => {
    while (performance.now() - beganMs < forMs) {
      // A stride that shares no factor with the number of tenants: all of them in turn, and never neighbours.
      turn = (turn + 7_919) % calling;
      // Those that call lie scattered among those that do not.
      const tenantId = tenantAt(turn * Math.floor(order.tenants / calling));
      const id = requestId(systemEntropy, systemClock);
      const { admitted } = await store.quota.reserve(reservation(id, tenantId, applied));
      if (!admitted) throw new Error("a limit of the bench was reached");
      await store.quota.settle({ id, tenantId, charge });
      pairs += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, client));
  const { user, system } = process.cpuUsage(cpuBefore);
  const elapsedMs = performance.now() - beganMs;
  const after = await store.seen();
  return {
    pairs,
    cpuMs: (user + system) / 1_000,
    elapsedMs,
    calls: after.calls - before.calls,
    pieces: after.pieces - before.pieces,
  };
}

process.on("message", (load: StoreLoad) => {
  run(load).then(
    (cost) => process.send?.({ cost }),
    (error: unknown) => process.send?.({ failure: error instanceof Error ? error.message : String(error) }),
  );
});
process.once("disconnect", () => process.exit(0));
process.send?.({ ready: true });
