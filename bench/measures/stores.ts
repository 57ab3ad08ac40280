import { inTurn, type Measure } from "../bench.ts";

/** What a decision costs on each store, apart from all else that a gateway does. */
export const stores: Measure = {
  name: "stores",
  rounds: (settings) => settings.rounds,
  async run({ stores, settings, results }, round) {
    for (const store of inTurn(stores, round)) {
      const { name, calling } = store;
      // The first round's code is cold, and so are the rows of tenants that call for the first time.
      if (round === 0) await store.cost({ calling, forMs: settings.closedMs });
      const { pairs, cpuMs, elapsedMs, calls } = await store.cost({ calling, forMs: settings.closedMs });
      results.add("storeCpu", name, round, (cpuMs * 1000) / pairs);
      results.add("storeAdmissions", name, round, (pairs * 1000) / elapsedMs);
      results.add("storeRoundTrips", name, round, calls / pairs);
    }
  },
};
