import { setTimeout as delay } from "node:timers/promises";
import type { Drill, DrillOptions } from "./drill.ts";
import { boundsOf, Crowd, cuttingOf, probeEveryMs, tableOf, type Cutting } from "./harness/crowd.ts";
import { Isolates } from "./harness/isolates.ts";
import { acknowledging, orderOf, type Revoked } from "./harness/orders.ts";
import { RecordingUpstream } from "./harness/recording-upstream.ts";

const isolates = 3;
const streams = 300;
const boundMs = 1_000;
/** After an order, for so long requests are tried in every isolate. */
const probingMs = 1_500;
const patienceMs = 30_000;

const situations: readonly Revoked[] = ["an order", "a key revoked", "a tenant suspended"];

export const revocationEdge: Drill = {
  name: "revocation-edge",
  summary: "300 open streams over 3 isolates of a Worker in workerd, cut by an order, by their key, by suspending their tenant",
  needs: [],
  async run(options) {
    const upstream = await RecordingUpstream.start({ events: 1_000_000, intervalMs: 200 });
    const worker = await Isolates.start({ count: isolates, upstream: upstream.origin });
    try {
      const urls = Array.from({ length: isolates }, (_, index) => worker.url(index));
      const crowd = new Crowd(urls, worker.model.id, patienceMs);
      const cuttings: Cutting[] = [];
      for (const revoked of situations) cuttings.push(await play(revoked, worker, crowd, options));
      await crowd.close();
      return {
        tables: [tableOf(cuttings)],
        bounds: boundsOf(cuttings, boundMs),
        notes: [
          `${streams} streams over ${isolates} isolates of one workerd, a piece of content every 200 ms`,
          `requests are tried every ${probeEveryMs} ms in each; the order is given to the first`,
        ],
      };
    } finally {
      await worker.stop();
      upstream.close();
    }
  },
};

async function play(title: Revoked, worker: Isolates, crowd: Crowd, { say }: DrillOptions): Promise<Cutting> {
  const operator = worker.operator(0);
  const tenant = await operator.addTenant({ tiers: [worker.model.tier] });
  const open = await crowd.open(streams, title, tenant.key);
  say(`${title}: ${open.length} streams are open`);
  await delay(500);
  const orderedAtMs = performance.now();
  const [orderId, probes] = await Promise.all([
    orderOf(title, operator, tenant),
    crowd.probe(`${title} probe`, tenant.key, probingMs),
  ]);
  const cutting = await cuttingOf(open, probes, orderedAtMs, patienceMs);
  const acknowledged = await acknowledging(operator, orderId, 5 * boundMs);
  say(`${title}: ${cutting.cut} cut, ${acknowledged} isolates acknowledged`);
  return { title, ...cutting, acknowledged, gateways: isolates };
}
