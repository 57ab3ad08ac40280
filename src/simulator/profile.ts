import type { CountrySet } from "../region/country.ts";
import type { Surface, Wire } from "../region/catalogue.ts";
import type { Fault } from "./faults.ts";

/** How fast a simulated region answers. */
export interface Pace {
  /** Before the head of every answer. */
  readonly latencyMs: number;
  /** In streams; 0 is as fast as possible. */
  readonly tokensPerSecond: number;
  /** How long an answer is where nothing cuts it; `undefined` is the natural length, about fifty tokens. */
  readonly answerTokens: number | undefined;
}

export interface ProfileDeployment {
  /** The name by which requests ask for it: the deployment's on Azure, the model's elsewhere. */
  readonly name: string;
  /** The model that answers say they come from. */
  readonly model: string;
  /** Without it, every surface of the wire is served. */
  readonly surfaces?: ReadonlySet<Surface> | undefined;
  /** What `usage.inference_geo` says (Anthropic): `us`, `global` or, by default, `not_available`. */
  readonly inferenceGeo?: string | undefined;
  /** Shown in the rate headers of the shared capacity, never enforced. */
  readonly tokensPerMinute?: number | undefined;
}

export interface RegionProfile {
  readonly id: string;
  readonly wire: Wire;
  readonly displayName: string;
  readonly country: string;
  readonly deployments: readonly ProfileDeployment[];
  /** The only key accepted; without it any key will do, but there must be one. */
  readonly credential?: string | undefined;
  readonly pace?: Partial<Pace> | undefined;
  readonly faults?: readonly Fault[] | undefined;
}

/** The part of a `Catalogue` that a simulation needs. */
export interface SimulatedCatalogue {
  readonly regions: ReadonlyMap<
    string,
    { readonly id: string; readonly wire: Wire; readonly displayName: string; readonly country: string }
  >;
  readonly deployments: ReadonlyMap<
    string,
    {
      readonly region: { readonly id: string };
      readonly model: { readonly id: string };
      readonly upstreamName: string;
      readonly surfaces: ReadonlySet<Surface>;
      readonly countries: CountrySet;
      readonly tokensPerMinute: number | undefined;
    }
  >;
}

/** One profile for every region of a catalogue, with the deployments that it declares and no others. */
export function profilesOf(catalogue: SimulatedCatalogue): readonly RegionProfile[] {
  const deployments = [...catalogue.deployments.values()];
  return [...catalogue.regions.values()].map((region) => ({
    id: region.id,
    wire: region.wire,
    displayName: region.displayName,
    country: region.country,
    deployments: deployments
      .filter((deployment) => deployment.region.id === region.id)
      .map((deployment) => ({
        name: deployment.upstreamName,
        model: region.wire === "azure" ? deployment.model.id : deployment.upstreamName,
        surfaces: deployment.surfaces,
        inferenceGeo: inferenceGeoOf(deployment.countries),
        tokensPerMinute: deployment.tokensPerMinute,
      })),
  }));
}

/** Anthropic attests only these two; every other place is not available. */
function inferenceGeoOf(countries: CountrySet): string {
  if (countries.kind === "anywhere") return "global";
  if (countries.kind === "countries" && countries.countries.size === 1 && countries.countries.has("US")) return "us";
  return "not_available";
}
