/**
 * What slices of limits save and cost: two gateways on one Valkey, with and without, in turn. One tenant asks far below
 * its limit, near it, and beyond. `npm run bench:slices -- [requests a second]`.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { table } from "../../src/runtime/node/cli/table.ts";
import { Children } from "../children.ts";
import { startValkey } from "../stores/start-valkey.ts";
import { charge } from "../stores/tenants.ts";
import type { GatewayCost, GatewayLoad, GatewayOrder } from "./order.ts";

const requestsPerSecond = Number(process.argv[2] ?? 1_000);
const gatewayCount = 2;
const rounds = 3;
const forMs = 4_000;
/** What is asked, in percent of what the limit admits. */
const shares = [10, 90, 200];

interface Answer {
  readonly cost?: GatewayCost;
  readonly failure?: string;
}

async function answered(child: ChildProcess): Promise<Answer> {
  const [answer] = (await once(child, "message", { signal: AbortSignal.timeout(60_000) })) as [Answer];
  return answer;
}

async function cost(child: ChildProcess, load: GatewayLoad): Promise<GatewayCost> {
  child.send(load);
  const { cost: found, failure } = await answered(child);
  if (found === undefined) throw new Error(`a gateway of the bench failed: ${failure}`);
  return found;
}

function sumOf(costs: readonly GatewayCost[]): GatewayCost {
  const sum = (of: (one: GatewayCost) => number): number => costs.reduce((total, one) => total + of(one), 0);
  return {
    admitted: sum((one) => one.admitted),
    refused: sum((one) => one.refused),
    unanswered: sum((one) => one.unanswered),
    calls: sum((one) => one.calls),
    cpuMs: sum((one) => one.cpuMs),
  };
}

const children = new Children("strait-bench-slices-");
const address = await startValkey(children, children.scratch());
const gateways = new Map<boolean, readonly ChildProcess[]>();
for (const slices of [false, true]) {
  const started = Array.from({ length: gatewayCount }, () => {
    const order: GatewayOrder = { address, folder: children.scratch(), slices };
    return children.fork(new URL("gateway.ts", import.meta.url), [JSON.stringify(order)], {});
  });
  await Promise.all(started.map(answered));
  gateways.set(slices, started);
}

const costs = new Map<string, GatewayCost[]>();
// The first round's code is cold, and is left out.
for (let round = 0; round <= rounds; round += 1) {
  for (const share of shares) {
    for (const [slices, started] of gateways) {
      process.stderr.write(`round ${round} of ${rounds}: ${share} % of the limit, ${slices ? "slices" : "exact"}\n`);
      const load: GatewayLoad = {
        tenantId: `bench_${round}_${share}_${slices ? "slices" : "exact"}`,
        requestsPerSecond: requestsPerSecond / gatewayCount,
        forMs,
        tokensPerMinute: Math.floor((requestsPerSecond * 60 * charge.tokens * 100) / share),
      };
      const found = sumOf(await Promise.all(started.map((child) => cost(child, load))));
      const name = `${share} ${slices ? "slices" : "exact"}`;
      if (round > 0) costs.set(name, [...(costs.get(name) ?? []), found]);
    }
  }
}

const rows = shares.flatMap((share) =>
  ["exact", "slices"].map((way) => {
    const { admitted, refused, unanswered, calls, cpuMs } = sumOf(costs.get(`${share} ${way}`) ?? []);
    const asked = admitted + refused;
    return [
      `${share} %`,
      way,
      String(asked),
      ((calls * 1_000) / asked).toFixed(1),
      ((cpuMs * 1_000) / asked).toFixed(0),
      ((refused * 100) / asked).toFixed(2),
      String(unanswered),
    ];
  }),
);
process.stdout.write(
  `${requestsPerSecond} requests a second of one tenant over ${gatewayCount} gateways, ${rounds} rounds of ${forMs} ms\n` +
    `${table(["OF THE LIMIT", "BY", "REQUESTS", "CALLS PER 1,000", "CPU µs A REQUEST", "REFUSED %", "UNANSWERED"], rows)}\n`,
);
process.exit(0);
