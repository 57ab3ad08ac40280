/** A gateway process as `sqlite-processes.test.ts` forks it: reserves and settles on a shared file until it is told to stop. */
import { once } from "node:events";
import { openSqliteStores } from "../../src/runtime/node/sqlite.ts";
import { amounts, limit, receipt, reservation } from "./samples.ts";

export interface HammerOrder {
  readonly directory: string;
  readonly name: string;
  readonly ceiling: number;
  readonly concurrent: number;
  readonly workers: number;
  readonly leaseMs: number;
  /** What the wall clock's reading at `epochMs` counts as, so that no run crosses midnight. */
  readonly noonMs: number;
  readonly epochMs: number;
  /** Leaves every reservation open, for a parent that kills this process. */
  readonly leaveOpen: boolean;
}

export type HammerReport =
  | { readonly kind: "ready" }
  | { readonly kind: "reserved"; readonly id: string }
  | {
      readonly kind: "done";
      readonly charged: number;
      readonly spans: readonly (readonly [fromMs: number, toMs: number])[];
      readonly refused: number;
    };

const order = JSON.parse(process.argv[2] ?? "") as HammerOrder;
const clock = { nowMs: () => order.noonMs + Date.now() - order.epochMs, after: () => () => undefined };
const stores = openSqliteStores(order.directory, clock);
const limits = [limit("daily", "tokens", "day", order.ceiling), limit("concurrent", "concurrent", "open", order.concurrent)];
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
    const outcome = await stores.quota.reserve(reservation(id, limits, amounts(10), { leaseMs: order.leaseMs }));
    if (!outcome.admitted) {
      refused++;
      if (outcome.binding.limit.counter === "daily" && outcome.binding.remaining < 10 && (await idle())) return;
      await new Promise((resolve) => setTimeout(resolve, 1));
      continue;
    }
    const fromMs = preciseMs();
    process.send?.({ kind: "reserved", id } satisfies HammerReport);
    if (order.leaveOpen) continue;
    if (serial % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    const used = (serial * 7) % 11;
    spans.push([fromMs, preciseMs()]);
    await stores.books.close(receipt(id, { chargedTokens: used }), { id, tenantId: "acme", charge: amounts(used) });
    charged += used;
  }
}

/** Whether nothing is in flight in any process any more, so that a refusal is final. */
async function idle(): Promise<boolean> {
  const [daily, concurrent] = await stores.quota.inspect("acme", limits);
  return concurrent?.remaining === order.concurrent && (daily?.remaining ?? 0) < 10;
}

// Begins when all have opened the file: the quickest would otherwise leave nothing to the others.
process.send?.({ kind: "ready" } satisfies HammerReport);
await once(process, "message");
await Promise.all(Array.from({ length: order.workers }, work));
stores.close();
process.send?.({ kind: "done", charged, spans, refused } satisfies HammerReport);
process.disconnect?.();
