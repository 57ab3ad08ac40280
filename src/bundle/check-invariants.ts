import { CompiledPolicy } from "../policy/compiled-policy.ts";
import { decideBy, type Judgement } from "../policy/decide.ts";
import type { DecisionInputs, TenantInputs } from "../policy/decision-inputs.ts";
import { hasTerm } from "../policy/end-use.ts";
import type { World } from "../policy/world.ts";
import {
  atLeast,
  surfaces as allSurfaces,
  type Catalogue,
  type Deployment,
  type Model,
  type Surface,
} from "../region/catalogue.ts";
import { meets, type Country } from "../region/country.ts";
import type { Invariant } from "../region/invariant.ts";
import type { Policy } from "../region/policy.ts";
import { wholeBasisPoints } from "../tenant/ownership.ts";
import { tenantClasses } from "./tenant-classes.ts";

/** A request that the policy admits and an invariant forbids. */
export interface Counterexample {
  readonly invariant: Invariant;
  /** What was decided, and by what: `decide` says the same again. */
  readonly inputs: DecisionInputs;
  /** The model that would answer. */
  readonly model: Model;
  readonly deployment: Deployment;
  /** The rules that looked and let it pass. */
  readonly rules: readonly string[];
}

export interface InvariantCheck {
  /** One for each invariant and stretch of time at most: the first that was found. */
  readonly counterexamples: readonly Counterexample[];
  /** How many decisions were made. */
  readonly decisions: number;
  /** How many pairs of a tenant's class and a deployment they were about. */
  readonly pairs: number;
  /** The instants that were tried, in milliseconds since the epoch: between two of them nothing changes. */
  readonly instantsMs: readonly number[];
}

/** Tries every class of tenants with every model and deployment, now and at every later instant at which a decision may change. */
export function checkInvariants({ policy, catalogue }: World, nowMs: number): InvariantCheck {
  const beginsMs = Math.max(nowMs, policy.effectiveFromMs ?? -Infinity);
  const instantsMs = [beginsMs, ...policy.boundariesMs.filter((boundary) => boundary > beginsMs)];
  const counterexamples: Counterexample[] = [];
  let decisions = 0;
  let pairs = 0;
  for (const atMs of instantsMs) {
    const compiled = new CompiledPolicy(policy, catalogue, atMs);
    const broken = new Set<Invariant>();
    for (const model of catalogue.models.values()) {
      const surfaces = surfacesOf(model, catalogue);
      const candidates = catalogue.deploymentsByModel.get(model.id)?.length ?? 0;
      for (const { tenant, request } of tenantClasses(compiled, model)) {
        pairs += candidates;
        for (const surface of surfaces) {
          const inputs: DecisionInputs = { atMs, model: model.id, surface, request, tenant };
          decisions += 1;
          const found = policy.invariants.filter((invariant) => !broken.has(invariant));
          for (const counterexample of counterexamplesIn(decideBy(inputs, compiled), found, policy)) {
            broken.add(counterexample.invariant);
            counterexamples.push(counterexample);
          }
        }
      }
    }
  }
  return { counterexamples, decisions, pairs, instantsMs };
}

/** So many of a model's surfaces that each of its deployments speaks one: no rule asks which it is. */
export function surfacesOf(model: Model, catalogue: Catalogue): readonly Surface[] {
  let left = catalogue.deploymentsByModel.get(model.id) ?? [];
  return allSurfaces.filter((surface) => {
    const before = left.length;
    left = left.filter((deployment) => !deployment.surfaces.has(surface));
    return left.length < before;
  });
}

function counterexamplesIn({ inputs, outcome }: Judgement, invariants: readonly Invariant[], policy: Policy): Counterexample[] {
  if (!outcome.ok) return [];
  const { model, deployments, rules } = outcome.grant;
  return invariants.flatMap((invariant): Counterexample[] => {
    if (!isAbout(invariant, model) || !concerns(invariant, inputs.tenant)) return [];
    const own = invariant.neverInOwnJurisdiction ? ownCountries(inputs.tenant, policy) : undefined;
    const deployment = deployments.find((admitted) => forbids(invariant, admitted, own));
    return deployment === undefined ? [] : [{ invariant, inputs, model, deployment, rules }];
  });
}

function isAbout({ makers, tiers, models }: Invariant, model: Model): boolean {
  if (makers !== undefined && !makers.has(model.maker)) return false;
  if (tiers !== undefined && !tiers.has(model.tier)) return false;
  return models === undefined || models.has(model.id);
}

function concerns({ tenantsIn, ownersIn, endUses, audience }: Invariant, tenant: TenantInputs): boolean {
  if (tenantsIn !== undefined && !countriesOf(tenant).some((country) => tenantsIn.has(country))) return false;
  if (ownersIn !== undefined && !wholeOwners(tenant).some((country) => ownersIn.has(country))) return false;
  if (audience !== undefined && tenant.audience?.value !== audience) return false;
  return endUses === undefined || endUses.some((term) => hasTerm(tenant.endUse?.value ?? "", term));
}

function countriesOf({ registeredCountry, headquartersCountry, ultimateParentCountry }: TenantInputs): Country[] {
  return [registeredCountry, headquartersCountry, ultimateParentCountry].flatMap((fact) => fact?.value ?? []);
}

function ownCountries(tenant: TenantInputs, { jurisdictions }: Policy): ReadonlySet<Country> {
  return new Set(countriesOf(tenant).flatMap((country) => [...(jurisdictions.get(country) ?? [country])]));
}

function wholeOwners({ ownership }: TenantInputs): Country[] {
  const whole = ownership?.holdings.find(({ basisPoints }) => basisPoints === wholeBasisPoints);
  return ownership?.owners.flatMap(({ id, country }) => (id === whole?.owner ? (country ?? []) : [])) ?? [];
}

function forbids(
  { neverServed, neverIn, leastEvidence }: Invariant,
  { countries, evidence }: Deployment,
  own: ReadonlySet<Country> | undefined,
): boolean {
  if (neverServed) return true;
  if (own !== undefined && meets(countries, own) !== undefined) return true;
  if (neverIn !== undefined && meets(countries, neverIn) !== undefined) return true;
  return leastEvidence !== undefined && !atLeast(evidence, leastEvidence);
}
