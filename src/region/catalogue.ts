import type { ConnectionRules } from "./connection-rules.ts";
import type { Country, CountrySet } from "./country.ts";

/** What a client may call of a model. */
export type Surface = "chat.completions" | "completions" | "embeddings" | "responses" | "messages" | "count_tokens";

export const surfaces: readonly Surface[] = [
  "chat.completions",
  "completions",
  "embeddings",
  "responses",
  "messages",
  "count_tokens",
];

/** The wire that an upstream speaks: decides path, key header and error shape. */
export type Wire = "openai" | "azure" | "anthropic";

/** What each wire can carry at all. */
export const wireSurfaces: Readonly<Record<Wire, readonly Surface[]>> = {
  openai: ["chat.completions", "completions", "embeddings", "responses"],
  azure: ["chat.completions", "completions", "embeddings", "responses"],
  anthropic: ["messages", "count_tokens"],
};

/** How strongly it can be shown where an inference ran, strongest first. */
export type EvidenceGrade = "attested" | "contractual-geography" | "contractual-zone" | "none";

export const evidenceGrades: readonly EvidenceGrade[] = ["attested", "contractual-geography", "contractual-zone", "none"];

/** Whether `grade` is at least as strong as `least`. */
export function atLeast(grade: EvidenceGrade, least: EvidenceGrade): boolean {
  const rank = evidenceGrades.indexOf(grade);
  // A grade that is none of the list is no evidence, or -1 would be the strongest of all.
  return rank >= 0 && rank <= evidenceGrades.indexOf(least);
}

/** Where to read a credential from. Never the value itself, which must not sit in a file under version control. */
export type CredentialReference = { readonly env: string } | { readonly file: string };

export interface Region {
  readonly id: string;
  readonly provider: string;
  readonly wire: Wire;
  /** Where requests go, without a path's trailing slash: `https://host[/base]`. */
  readonly endpoint: string;
  readonly credential: CredentialReference;
  /** The country in which the endpoint stands. */
  readonly country: Country;
  /** What the provider calls the region in `x-ms-region`. */
  readonly displayName: string;
  readonly latitude: number;
  readonly longitude: number;
  /** Azure: the `api-version` for the data-plane paths that need one. */
  readonly apiVersion: string | undefined;
  /** Stands in a country whose companies are served from offshore: declared so that it can be shown to be refused. */
  readonly domestic?: boolean;
  /** Without it no address can be right. */
  readonly connection?: ConnectionRules;
  /** Other names by which `x-ms-region` may call it. */
  readonly reportedAs?: readonly string[];
}

/** Micro-USD for a million tokens, so that a rate is an integer: 2.50 USD is 2_500_000. */
export interface Rates {
  readonly inputMicroUsdPerMillion: number;
  readonly cachedInputMicroUsdPerMillion: number;
  readonly cacheWriteMicroUsdPerMillion: number;
  readonly outputMicroUsdPerMillion: number;
  /** What is written to the cache for an hour and not for minutes. Without it: as `cacheWrite`. */
  readonly cacheWriteLongMicroUsdPerMillion?: number;
  /** Without it: as output. */
  readonly reasoningMicroUsdPerMillion?: number;
  /** Without them: as input, and as output. */
  readonly audioInputMicroUsdPerMillion?: number;
  readonly audioOutputMicroUsdPerMillion?: number;
  readonly imageInputMicroUsdPerMillion?: number;
}

/** Rates that a long prompt changes: beyond the threshold they hold for all of the request, not for what is beyond. */
export interface TieredRates extends Rates {
  readonly longContext?: { readonly aboveInputTokens: number; readonly rates: Rates };
}

/** The tiers of service that providers price apart; what else an answer names (`default`, `standard`, `scale`) is the plain price. */
export type ServiceTier = "batch" | "flex" | "priority";

export interface Price extends TieredRates {
  readonly serviceTiers?: { readonly [Tier in ServiceTier]?: TieredRates };
}

export interface DatedPrice {
  /** Milliseconds since the epoch. */
  readonly effectiveFromMs: number;
  readonly price: Price;
}

export interface Deployment {
  /** `<region id>/<name>`: unique in the catalogue. */
  readonly id: string;
  readonly region: Region;
  readonly model: Model;
  /** The model's name (OpenAI, Anthropic) or the deployment's (Azure) at the upstream. */
  readonly upstreamName: string;
  readonly sku: string;
  /** Where this deployment may process. */
  readonly countries: CountrySet;
  readonly evidence: EvidenceGrade;
  /** What the answer's `usage.inference_geo` must say; set where the place is attested by the provider. */
  readonly inferenceGeo?: string;
  /** Other names that answers may give the model. */
  readonly servedAs?: readonly string[];
  readonly surfaces: ReadonlySet<Surface>;
  /** Share among equally good deployments; a positive integer. */
  readonly weight: number;
  /** What the provider grants this deployment; `undefined` where it is not known. */
  readonly tokensPerMinute: number | undefined;
  /** Until the first of `laterPrices`. Read both by `priceAt`. */
  readonly price: Price;
  /** In order of their dates. */
  readonly laterPrices?: readonly DatedPrice[];
}

export interface Model {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly displayName: string;
  readonly maker: string;
  readonly tier: string;
  /** Seconds since the epoch, as `GET /v1/models` shows it. */
  readonly createdAt: number;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  /** Countries in which the weights must not be, groups already resolved. */
  readonly weightsNotIn: ReadonlySet<Country>;
  readonly price: Price;
}

/** All that is known of regions and models, read once, frozen, and replaced as a whole. */
export interface Catalogue {
  /** Digest over all files read: two catalogues with one digest are the same. */
  readonly digest: string;
  readonly models: ReadonlyMap<string, Model>;
  /** From every name and alias to the model's id. */
  readonly modelNames: ReadonlyMap<string, string>;
  readonly regions: ReadonlyMap<string, Region>;
  readonly deployments: ReadonlyMap<string, Deployment>;
  readonly deploymentsByModel: ReadonlyMap<string, readonly Deployment[]>;
}
