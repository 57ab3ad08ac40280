import type { Entropy } from "../../clock.ts";
import type { ApplyRetention } from "../../control/retention.ts";
import type { RetentionRun } from "../../retention/retention-run.ts";
import { hex } from "../../tenant/key.ts";
import type { Bindings } from "./environment.ts";
import { directoryOf, type RemoteDirectory } from "./object-stubs.ts";
import { reachAgain } from "./reach.ts";

/**
 * Retention by the directory object. It goes on by its own alarm where whoever ordered it does not wait; an order that finds
 * another run under way brings that one to its end first.
 */
export function objectRetention(bindings: Pick<Bindings, "DIRECTORY">, entropy: Entropy): ApplyRetention {
  const ask = <Result>(call: (directory: RemoteDirectory) => Promise<Result>): Promise<Result> =>
    reachAgain(() => call(directoryOf(bindings)));

  async function endOf(id: string): Promise<RetentionRun> {
    for (;;) {
      const run = await ask((directory) => directory.continueRetention(id));
      if (run !== undefined) return run;
    }
  }

  return async (order) => {
    const own = hex(entropy.bytes(12));
    for (;;) {
      const underWay = await ask((directory) => directory.beginRetention(own, order));
      const run = await endOf(underWay);
      if (underWay === own) return run;
    }
  };
}
