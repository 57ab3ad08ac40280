import { WorkerEntrypoint } from "cloudflare:workers";
import { profilesOf } from "../../simulator/profile.ts";
import { createSimulatedRegion, type SimulatedRegion as Simulator } from "../../simulator/simulated-region.ts";
import { systemClock, systemEntropy } from "./clock.ts";
import { bundledCatalogue } from "./regions.ts";

let simulator: Simulator | undefined;

/** The region simulator, bound as a service of its own so that the gateway reaches it as it would reach an upstream. */
export class SimulatedRegion extends WorkerEntrypoint {
  override fetch(request: Request): Promise<Response> {
    return simulated().fetch(request);
  }
}

/** The one simulator of this isolate: tests set its faults. */
export function simulated(): Simulator {
  simulator ??= createSimulatedRegion({
    profiles: profilesOf(bundledCatalogue()),
    clock: systemClock,
    entropy: systemEntropy,
  });
  return simulator;
}
