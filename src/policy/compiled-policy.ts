import type { Catalogue, Deployment, EvidenceGrade, Model, Surface } from "../region/catalogue.ts";
import type { Policy, Rule } from "../region/policy.ts";
import { Candidates, type Placement } from "./candidates.ts";
import type { ConcernedRules } from "./concerned-rules.ts";
import { deploymentChecks } from "./deployment-rules.ts";
import { Memo } from "./memo.ts";
import { RuleIndex } from "./rule-index.ts";
import type { SubjectView } from "./subject-view.ts";

/** Past this many placements they are made anew: tenants that differ in every list must not fill the memory. */
const mostPlacements = 1_000;

const none: readonly Deployment[] = [];

/**
 * A policy and a catalogue made ready for one stretch of time, in which no dated rule begins, pauses or ends and no list
 * begins to count or grows too old. Compiled once, and then decided by looking up:
 *
 *   1. `RuleIndex` finds the rules that are about a subject, and the few of them that may have something against it, by what
 *      its facts say; only those few are asked;
 *   2. `Candidates` has the deployments in classes that no rule can tell apart; of each class what the rules about places
 *      find is worked out once for all subjects of the same place, and so are the lists of deployments that follow.
 *
 * What is kept here depends on no tenant and no instant within the stretch. What a tenant's own dates say is looked at for
 * each decision, whose `Horizon` says until when it holds.
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
  readonly #placements = new Memo<string, Placement>(mostPlacements);

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
    return this.#placements.get(key, () =>
      Candidates.of(this.catalogue.deploymentsByModel.get(model.id) ?? none, surface).judge(
        deploymentChecks(concerned.checksOf(model), leastEvidence, view),
      ),
    );
  }

  #indexOf(rules: readonly Rule[]): RuleIndex {
    const key = rules.map(({ id }) => id).join();
    let index = this.#byRules.get(key);
    if (index === undefined) this.#byRules.set(key, (index = new RuleIndex(rules, this.policy, this.#atMs)));
    return index;
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
