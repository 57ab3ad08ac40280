import type { Clock, Entropy } from "../clock.ts";
import type { SimulatedAnswer, SimulatedCall } from "./call.ts";
import { controlAnswer, jsonAnswer } from "./control.ts";
import type { Fault } from "./faults.ts";
import type { Pace, RegionProfile } from "./profile.ts";
import { SimulatedUpstream } from "./simulated-upstream.ts";
import type { RegionStats } from "./stats.ts";
import { callOf, responseOf } from "./web.ts";

export interface SimulatedRegionOptions {
  readonly profiles: readonly RegionProfile[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** For all regions; a profile's own pace wins. */
  readonly pace?: Partial<Pace> | undefined;
  /** Told of every request for an upstream path before it is answered. In tests: what really reached the provider. */
  readonly observe?: ((seen: SeenRequest) => void) | undefined;
}

export interface SeenRequest {
  readonly regionId: string;
  readonly method: string;
  /** Behind the region's prefix. */
  readonly path: string;
  readonly query: string;
  header(name: string): string | undefined;
}

/**
 * Answers as the providers' upstreams would, and says in every answer that it does not ask a model. One handler serves
 * all regions, each under its own prefix: `/<region id>/<the provider's path>`. So newcomers get answers without
 * credentials, and tests get an upstream that fails on demand.
 */
export interface SimulatedRegion {
  /** Rejects where a fault destroys the connection before the head; after it, the body fails. */
  fetch(request: Request): Promise<Response>;
  /** The same without Web objects, for an edge that writes to a socket itself. */
  answer(call: SimulatedCall): Promise<SimulatedAnswer>;
  /** Replaces all faults of the region; `undefined` takes them away. Throws for a region that is not simulated. */
  setFault(regionId: string, fault: Fault | readonly Fault[] | undefined): void;
  setPace(regionId: string, pace: Partial<Pace>): void;
  /** Takes a changed catalogue over; regions that stay keep their counters, faults and stored responses. */
  setProfiles(profiles: readonly RegionProfile[]): void;
  stats(regionId: string): RegionStats;
}

const defaultPace: Pace = { latencyMs: 0, tokensPerSecond: 0, answerTokens: undefined };

export function createSimulatedRegion({ profiles, clock, entropy, pace, observe }: SimulatedRegionOptions): SimulatedRegion {
  let regions: ReadonlyMap<string, SimulatedUpstream> = new Map();

  function setProfiles(next: readonly RegionProfile[]): void {
    regions = new Map(
      next.map((profile) => {
        const upstream = regions.get(profile.id) ?? new SimulatedUpstream(profile, { ...defaultPace, ...pace }, clock, entropy);
        upstream.profile = profile;
        return [profile.id, upstream];
      }),
    );
  }

  function region(regionId: string): SimulatedUpstream {
    const found = regions.get(regionId);
    if (found === undefined) throw new RangeError(`No region ${JSON.stringify(regionId)} is simulated.`);
    return found;
  }

  async function answer(call: SimulatedCall): Promise<SimulatedAnswer> {
    if (call.path === "/_stats") return jsonAnswer(200, allStats());
    const slash = call.path.indexOf("/", 1);
    const regionId = slash < 0 ? call.path.slice(1) : call.path.slice(1, slash);
    const upstream = regions.get(regionId);
    if (upstream === undefined)
      return jsonAnswer(404, { error: { message: `No region ${JSON.stringify(regionId)} is simulated here.` } });
    const path = slash < 0 ? "/" : call.path.slice(slash);
    if (path.startsWith("/_")) {
      const controlled = {
        stats: () => upstream.stats.read(),
        setFaults: (faults: readonly Fault[]) => upstream.faults.set(faults),
      };
      const controlling = await controlAnswer(controlled, call, path);
      if (controlling !== undefined) return controlling;
    }
    observe?.({ regionId, method: call.method, path, query: call.query, header: (name) => call.header(name) });
    return upstream.answer(call, path);
  }

  function allStats(): { readonly regions: Readonly<Record<string, RegionStats>> } {
    return { regions: Object.fromEntries([...regions].map(([id, upstream]) => [id, upstream.stats.read()])) };
  }

  setProfiles(profiles);
  return {
    answer,
    async fetch(request) {
      const call = callOf(request);
      return responseOf(await answer(call), call.signal);
    },
    setFault(regionId, fault) {
      region(regionId).faults.set(fault === undefined ? [] : isList(fault) ? fault : [fault]);
    },
    setPace(regionId, changed) {
      const upstream = region(regionId);
      upstream.pace = { ...upstream.pace, ...changed };
    },
    setProfiles,
    stats: (regionId) => region(regionId).stats.read(),
  };
}

function isList(fault: Fault | readonly Fault[]): fault is readonly Fault[] {
  return Array.isArray(fault);
}
