import type { Catalogue, Deployment, EvidenceGrade, Model, Region, Surface } from "../../src/region/catalogue.ts";
import { anywhere, countrySet, unknownCountries, type Country, type CountrySet } from "../../src/region/country.ts";
import { boundariesOf } from "../../src/region/build-policy.ts";
import type { PolicyList } from "../../src/region/policy-list.ts";
import type { Policy, Rule, RuleScope } from "../../src/region/policy.ts";
import type { Tenant, TenantFacts } from "../../src/tenant/tenant.ts";

type Changes = Partial<Omit<Tenant, "facts">> & { readonly facts?: Partial<TenantFacts> };

/** A verified tenant that lies in one country with all it has. */
export function tenantIn(country: Country | undefined, changes: Changes = {}): Tenant {
  const { facts, ...others } = changes;
  return {
    id: "tenant_a",
    name: "Tenant A",
    verification: { state: "verified", since: "2026-01-01T00:00:00Z", evidence: "document 1" },
    tiers: ["standard", "frontier"],
    allowCountries: undefined,
    denyCountries: [],
    leastEvidence: undefined,
    oidc: undefined,
    createdAt: "2026-01-01T00:00:00Z",
    facts: {
      registeredCountry: country,
      headquartersCountry: country,
      ultimateParentCountry: country,
      endUse: "software",
      audience: "internal",
      ...facts,
    },
    ...others,
  };
}

export function modelOf(id: string, changes: Partial<Model> = {}): Model {
  const price = {
    inputMicroUsdPerMillion: 1,
    cachedInputMicroUsdPerMillion: 1,
    cacheWriteMicroUsdPerMillion: 1,
    outputMicroUsdPerMillion: 1,
  };
  return {
    id,
    aliases: [],
    displayName: id,
    maker: "openai",
    tier: "standard",
    createdAt: 0,
    contextTokens: 1_000,
    maxOutputTokens: 100,
    weightsNotIn: new Set(),
    price,
    ...changes,
  };
}

export interface Place {
  readonly countries: "anywhere" | "unknown" | readonly Country[];
  readonly evidence?: EvidenceGrade;
  readonly surfaces?: readonly Surface[];
}

/** A catalogue of models, each with deployments called `<model>/1`, `<model>/2` … */
export function catalogueWith(...served: readonly (readonly [Model, readonly Place[]])[]): Catalogue {
  const deploymentsByModel = new Map(
    served.map(([model, places]) => [model.id, places.map((place, index) => deploymentAt(model, place, index + 1))]),
  );
  const deployments = [...deploymentsByModel.values()].flat();
  return {
    digest: "digest",
    models: new Map(served.map(([model]) => [model.id, model])),
    modelNames: new Map(served.flatMap(([model]) => [model.id, ...model.aliases].map((name) => [name, model.id] as const))),
    regions: new Map(deployments.map(({ region }) => [region.id, region])),
    deployments: new Map(deployments.map((deployment) => [deployment.id, deployment])),
    deploymentsByModel,
  };
}

function deploymentAt(model: Model, place: Place, number: number): Deployment {
  const region: Region = {
    id: model.id,
    provider: "azure",
    wire: "azure",
    endpoint: "https://example.com",
    credential: { env: "KEY" },
    country: "US",
    displayName: "Somewhere",
    latitude: 0,
    longitude: 0,
    apiVersion: undefined,
  };
  return {
    id: `${model.id}/${number}`,
    region,
    model,
    upstreamName: model.id,
    sku: "Standard",
    countries: setOf(place.countries),
    evidence: place.evidence ?? "contractual-geography",
    surfaces: new Set(place.surfaces ?? ["chat.completions"]),
    weight: 1,
    tokensPerMinute: undefined,
    price: model.price,
  };
}

function setOf(countries: Place["countries"]): CountrySet {
  if (countries === "anywhere") return anywhere;
  return countries === "unknown" ? unknownCountries : countrySet(countries);
}

type Parts<Kind extends Rule["kind"]> = Omit<Extract<Rule, { kind: Kind }>, keyof RuleScope | "kind">;
/** Of an ownership rule what is left out asks for nothing. */
type Written<Kind extends Rule["kind"]> = Kind extends "ownership" ? Partial<Parts<Kind>> : Parts<Kind>;

export function ruleOf<Kind extends Rule["kind"]>(kind: Kind, parts: Written<Kind>, scope: Partial<RuleScope> = {}): Rule {
  const open: RuleScope = {
    id: kind,
    because: `Because of ${kind}.`,
    reasonCodes: [scope.id ?? kind],
    effectiveFromMs: undefined,
    effectiveToMs: undefined,
    suspensions: [],
    makers: undefined,
    tiers: undefined,
    models: undefined,
    tenantsIn: undefined,
    audience: undefined,
    factsNoOlderThanMs: undefined,
    lists: [],
    tenantLists: [],
    ruling: { decision: kind === "exemption" ? "allow" : "deny" },
  };
  const owners = kind === "ownership" ? { ownersIn: new Set(), ownersOn: [], share: undefined } : {};
  return { ...open, ...scope, kind, ...owners, ...parts } as unknown as Rule;
}

export const dayMs = 86_400_000;

/** A list that names parties, taken at `asOfMs` and good for thirty days. */
export function partiesList(names: readonly string[], asOfMs = 0, identifiers: readonly string[] = []): PolicyList {
  const parties = [
    ...names.map((name) => ({ name, identifiers: [] })),
    ...identifiers.map((identifier) => ({ name: `holder of ${identifier}`, identifiers: [identifier] })),
  ];
  return { kind: "parties", source: "test", asOfMs, greatestAgeMs: 30 * dayMs, digest: "0".repeat(64), parties };
}

export const china: ReadonlySet<Country> = new Set(["CN", "HK", "MO"]);

export function policyWith(...rules: readonly Rule[]): Policy {
  return policyWithLists({}, ...rules);
}

export function policyWithLists(lists: Readonly<Record<string, PolicyList>>, ...rules: readonly Rule[]): Policy {
  return {
    version: "1",
    digest: "policy-digest",
    groups: new Map([["CN", china]]),
    jurisdictions: new Map([...china].map((country) => [country, china])),
    home: china,
    lists: new Map(Object.entries(lists)),
    rules,
    invariants: [],
    retention: new Map(),
    boundariesMs: boundariesOf({}, rules, Object.values(lists)),
  };
}
