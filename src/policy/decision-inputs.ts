import { writtenOnce } from "../canonical-json.ts";
import type { EvidenceGrade, Surface } from "../region/catalogue.ts";
import type { Country } from "../region/country.ts";
import type { Audience, HostedTool } from "../region/policy.ts";
import type { Ownership } from "../tenant/ownership.ts";
import type { FactEvidence, Tenant, VerificationState } from "../tenant/tenant.ts";

/**
 * All that a decision depends on beside policy and catalogue: plain JSON, so that a receipt can keep it and anybody can
 * decide again by it. Rules see this and never the tenant.
 */
export interface DecisionInputs {
  /** Milliseconds since the epoch: the instant decided for. One decision may serve later requests, up to where it could change. */
  readonly atMs: number;
  /** As the client wrote it: an id or an alias. `null`: nobody read it, for the tenant is not served whatever it asks. */
  readonly model: string | null;
  readonly surface: Surface;
  readonly request: RequestInputs;
  readonly tenant: TenantInputs;
  /** Absent where the request refers to nothing that is stored. */
  readonly boundTo?: BoundTo;
}

/** A response stored by an upstream, which a request goes on from, and the deployment that keeps it. */
export interface BoundTo {
  readonly deployment: string;
  readonly responseId: string;
}

/** What of a request's body and headers rules may ask for. */
export interface RequestInputs {
  /** Tools that the upstream would run itself, in alphabetical order, each once. */
  readonly hostedTools: readonly HostedTool[];
  readonly logProbabilities: "none" | "asked" | "asked_with_logit_bias";
  /** What the client claims of its end user; `null` where it claims nothing or no rule asks. */
  readonly endUserNationality: Country | null;
}

export const plainRequest: RequestInputs = Object.freeze({
  hostedTools: Object.freeze([]),
  logProbabilities: "none",
  endUserNationality: null,
});

/** A fact, with the date of what shows it. */
export interface FactInput {
  readonly value: string;
  /** The reference of the document that shows it; `null`: nothing does. Absent in receipts of before it was written down. */
  readonly evidence?: string | null;
  /** RFC 3339: as of when. */
  readonly asOf: string | null;
  /** What current documents say instead. */
  readonly contradictedBy: readonly string[];
}

export interface TenantInputs {
  readonly state: VerificationState;
  /** RFC 3339: since when, and by which document. Absent in receipts of before it was written down. */
  readonly stateSince?: string;
  readonly stateEvidence?: string | null;
  /** RFC 3339; `null`: the evidence does not expire. */
  readonly verifiedUntil: string | null;
  readonly name: string;
  readonly identifiers: readonly string[];
  /** `null` is unknown. */
  readonly registeredCountry: FactInput | null;
  readonly headquartersCountry: FactInput | null;
  readonly ultimateParentCountry: FactInput | null;
  readonly endUse: FactInput | null;
  readonly audience: (FactInput & { readonly value: Audience }) | null;
  /** `null`: unresolved. */
  readonly ownership: Ownership | null;
  readonly tiers: readonly string[];
  /** `null`: any. */
  readonly allowCountries: readonly string[] | null;
  readonly denyCountries: readonly string[];
  readonly leastEvidence: EvidenceGrade | null;
}

/** Who asks for what. */
export interface AuthoriseRequest {
  readonly tenant: Tenant;
  /** As the client wrote it: an id or an alias. */
  readonly modelName: string;
  readonly surface: Surface;
  /** Without it: a request that asks for nothing out of the ordinary. */
  readonly request?: RequestInputs;
}

export function inputsOf({ tenant, modelName, surface, request = plainRequest }: AuthoriseRequest, atMs: number): DecisionInputs {
  return Object.freeze({ atMs, model: modelName, surface, request, tenant: tenantInputs(tenant) });
}

/** Of a request that is refused before it is read, as its tenant is not verified. */
export function unreadInputs(tenant: Tenant, surface: Surface, atMs: number): DecisionInputs {
  return Object.freeze({ atMs, model: null, surface, request: plainRequest, tenant: tenantInputs(tenant) });
}

/** One object a tenant: a tenant does not change, a change is a new one. */
const known = new WeakMap<Tenant, TenantInputs>();

export function tenantInputs(tenant: Tenant): TenantInputs {
  let inputs = known.get(tenant);
  if (inputs === undefined) known.set(tenant, (inputs = writtenOnce(Object.freeze(readTenant(tenant)))));
  return inputs;
}

function readTenant(tenant: Tenant): TenantInputs {
  const { facts, factsEvidence = {}, verification } = tenant;
  const fact = <Value extends string>(value: Value | undefined, evidence: FactEvidence | undefined) =>
    value === undefined ? null : { value, ...shownBy(evidence) };
  return {
    state: verification.state,
    stateSince: verification.since,
    stateEvidence: verification.evidence ?? null,
    verifiedUntil: verification.expiresAt ?? null,
    name: tenant.name,
    identifiers: tenant.identifiers ?? [],
    registeredCountry: fact(facts.registeredCountry, factsEvidence.registeredCountry),
    headquartersCountry: fact(facts.headquartersCountry, factsEvidence.headquartersCountry),
    ultimateParentCountry: fact(facts.ultimateParentCountry, factsEvidence.ultimateParentCountry),
    endUse: fact(facts.endUse, factsEvidence.endUse),
    audience: fact(facts.audience, factsEvidence.audience),
    ownership: tenant.ownership ?? null,
    tiers: tenant.tiers,
    allowCountries: tenant.allowCountries ?? null,
    denyCountries: tenant.denyCountries,
    leastEvidence: tenant.leastEvidence ?? null,
  };
}

function shownBy(evidence: FactEvidence | undefined): Omit<FactInput, "value"> {
  return {
    evidence: evidence?.reference ?? null,
    asOf: evidence?.asOf ?? null,
    contradictedBy: (evidence?.contradictions ?? []).map(({ value }) => value),
  };
}
