import type { Catalogue, Deployment, EvidenceGrade, Model, Surface } from "../region/catalogue.ts";
import type { Policy, Rule } from "../region/policy.ts";
import type { ConcernedRules } from "./concerned-rules.ts";
import { deploymentChecks, objectionsTo, unwrittenChecks, type DeploymentChecks } from "./deployment-rules.ts";
import type { Finding } from "./finding.ts";
import type { RefusedCandidate } from "./permit.ts";
import { refusedCandidate } from "./refused-candidate.ts";
import { RuleIndex } from "./rule-index.ts";
import type { SubjectView } from "./subject-view.ts";

/** One deployment of the model with everything that speaks against it; admitted where nothing does. */
export interface Verdict {
  readonly deployment: Deployment;
  readonly objections: readonly Finding[];
}

/** What the rules about places say to all deployments of a model, for every subject that they cannot tell apart. */
export interface Placement {
  readonly checks: DeploymentChecks;
  /** The checks that stand in no file. */
  readonly unwritten: readonly string[];
  readonly candidates: readonly Verdict[];
  readonly admitted: readonly Deployment[];
  readonly refused: readonly RefusedCandidate[];
}

/** Past this many candidates remembered in all placements they are made anew: tenants that differ in every list must not fill the memory. */
const mostCandidates = 100_000;

/**
 * A policy and a catalogue made ready for one stretch of time, in which no dated rule begins, pauses or ends and no list
 * grows too old. Which rules look at a model, and what they say to its deployments, is worked out once.
 */
export class CompiledPolicy {
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  /** Milliseconds since the epoch; the start belongs to the stretch, the end does not. */
  readonly fromMs: number;
  readonly untilMs: number;
  readonly rulesById: ReadonlyMap<string, Rule>;
  readonly #inForce: readonly Rule[];
  readonly #atMs: number;
  readonly #byModel = new Map<Model, RuleIndex>();
  readonly #byRules = new Map<string, RuleIndex>();
  readonly #placements = new Map<string, Placement>();
  #candidates = 0;

  constructor(policy: Policy, catalogue: Catalogue, atMs: number) {
    this.policy = policy;
    this.catalogue = catalogue;
    this.#atMs = atMs;
    this.fromMs = policy.boundariesMs.findLast((boundary) => boundary <= atMs) ?? -Infinity;
    this.untilMs = policy.boundariesMs.find((boundary) => boundary > atMs) ?? Infinity;
    this.rulesById = new Map(policy.rules.map((rule) => [rule.id, rule]));
    this.#inForce = policy.rules.filter((rule) => isInForce(rule, atMs));
  }

  holdsAt(atMs: number): boolean {
    return this.fromMs <= atMs && atMs < this.untilMs;
  }

  /** The rules that look at a model now, in the order of the file: one index for all models that the same rules look at. */
  rulesFor(model: Model): RuleIndex {
    let index = this.#byModel.get(model);
    if (index === undefined)
      this.#byModel.set(model, (index = this.#indexOf(this.#inForce.filter((rule) => looksAt(rule, model)))));
    return index;
  }

  /** `concerned` are those of the model's rules that are about the subject. */
  placement(
    model: Model,
    surface: Surface,
    concerned: ConcernedRules,
    leastEvidence: EvidenceGrade | null,
    view: SubjectView,
  ): Placement {
    const key = `${model.id} ${surface} ${view.placeKey} ${concerned.placesKey}`;
    let placement = this.#placements.get(key);
    if (placement === undefined) {
      placement = this.#place(model, surface, deploymentChecks(concerned.aboutPlaces, leastEvidence, view, model));
      this.#candidates += placement.candidates.length;
      if (this.#candidates > mostCandidates) {
        this.#placements.clear();
        this.#candidates = placement.candidates.length;
      }
      this.#placements.set(key, placement);
    }
    return placement;
  }

  #indexOf(rules: readonly Rule[]): RuleIndex {
    const key = rules.map(({ id }) => id).join();
    let index = this.#byRules.get(key);
    if (index === undefined) this.#byRules.set(key, (index = new RuleIndex(rules, this.policy, this.#atMs)));
    return index;
  }

  /** Deployments of the same countries, evidence and surfaces are judged once. */
  #place(model: Model, surface: Surface, checks: DeploymentChecks): Placement {
    const judged = new Map<unknown, Map<string, readonly Finding[]>>();
    const candidates = (this.catalogue.deploymentsByModel.get(model.id) ?? []).map((deployment): Verdict => {
      let alike = judged.get(deployment.countries);
      if (alike === undefined) judged.set(deployment.countries, (alike = new Map()));
      const key = `${deployment.evidence} ${deployment.surfaces.has(surface)}`;
      let objections = alike.get(key);
      if (objections === undefined) alike.set(key, (objections = Object.freeze(objectionsTo(deployment, surface, checks))));
      return Object.freeze({ deployment, objections });
    });
    return {
      checks,
      unwritten: unwrittenChecks(checks),
      candidates,
      admitted: Object.freeze(candidates.filter(({ objections }) => objections.length === 0).map(({ deployment }) => deployment)),
      refused: Object.freeze(candidates.flatMap(({ deployment, objections }) => refusedCandidate(deployment, objections[0]))),
    };
  }
}

/** A time that is none leaves every rule in force, but for exemptions. */
function isInForce(rule: Rule, atMs: number): boolean {
  if (Number.isNaN(atMs)) return rule.kind !== "exemption";
  if (rule.effectiveFromMs !== undefined && atMs < rule.effectiveFromMs) return false;
  if (rule.effectiveToMs !== undefined && atMs >= rule.effectiveToMs) return false;
  return !rule.suspensions.some(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs);
}

function looksAt({ makers, tiers, models }: Rule, model: Model): boolean {
  if (makers !== undefined && !makers.has(model.maker)) return false;
  if (tiers !== undefined && !tiers.has(model.tier)) return false;
  return models === undefined || models.has(model.id);
}
