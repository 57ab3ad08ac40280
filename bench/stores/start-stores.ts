import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Bench } from "../bench.ts";
import { Unavailable } from "../proxy.ts";
import { storeNames } from "../targets.ts";
import type { StoreCost, StoreLoad, StoreOrder } from "./order.ts";
import { startValkey } from "./start-valkey.ts";

/** A store in one size, as one process uses it. */
export interface StoreSubject {
  readonly name: string;
  /** How many of its tenants call. */
  readonly calling: number;
  cost(load: StoreLoad): Promise<StoreCost>;
}

/** Filling a million tenants takes some seconds, and on a busy machine many. */
const patienceMs = 120_000;

/** Every store that can be had here, with few tenants and with many; of the many, few call or all. */
export async function startStores(bench: Pick<Bench, "children" | "results" | "settings">): Promise<readonly StoreSubject[]> {
  const { fewTenants, manyTenantsInStore } = bench.settings;
  const subjects: StoreSubject[] = [];
  for (const kind of ["sqlite", "valkey"] as const) {
    const { few, fewCalling, allCalling } = storeNames[kind];
    try {
      const small = await startStore(bench, kind, fewTenants);
      const large = await startStore(bench, kind, manyTenantsInStore);
      subjects.push(
        { name: few, calling: fewTenants, cost: small },
        { name: fewCalling, calling: fewTenants, cost: large },
        { name: allCalling, calling: manyTenantsInStore, cost: large },
      );
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      bench.results.note(`${kind} is left out: ${error.message}`);
    }
  }
  return subjects;
}

async function startStore(
  { children }: Pick<Bench, "children">,
  kind: StoreOrder["kind"],
  tenants: number,
): Promise<StoreSubject["cost"]> {
  const folder = children.scratch();
  const place = kind === "sqlite" ? join(folder, "data") : await startValkey(children, folder);
  const order: StoreOrder = { kind, place, tenants };
  const child = children.fork(new URL("process.ts", import.meta.url), [JSON.stringify(order)], {});
  await answered(child);
  return async (load) => {
    child.send(load);
    const { cost, failure } = await answered(child);
    if (cost === undefined) throw new Error(`the ${kind} store's process failed: ${failure}`);
    return cost;
  };
}

interface Answer {
  readonly cost?: StoreCost;
  readonly failure?: string;
}

async function answered(child: ChildProcess): Promise<Answer> {
  // Ends the waiting for what did not come: a listener left at the child for every answer would be a warning in the report.
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(patienceMs)]);
  const ended = once(child, "exit", { signal }).then(() => {
    throw new Error("a store's process ended");
  });
  try {
    const [answer] = (await Promise.race([once(child, "message", { signal }), ended])) as [Answer];
    return answer;
  } finally {
    over.abort();
  }
}
