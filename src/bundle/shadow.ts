import type { Authorised } from "../policy/authorise.ts";
import { CompiledPolicy } from "../policy/compiled-policy.ts";
import { decideBy, type Judgement } from "../policy/decide.ts";
import type { DecisionInputs } from "../policy/decision-inputs.ts";
import type { World } from "../policy/world.ts";

/** How a decision of the candidate differs from the one that was made, with how often it was met. */
export interface ShadowDifference {
  readonly tenantId: string;
  readonly model: string;
  readonly surface: string;
  /** The kind of refusal; `undefined` where it is permitted. */
  readonly activeRefusal: string | undefined;
  readonly candidateRefusal: string | undefined;
  /** The model that answers, where it is permitted. */
  readonly activeModel: string | undefined;
  readonly candidateModel: string | undefined;
  /** Deployments that only the active policy admits, … */
  readonly lost: readonly string[];
  /** … and that only the candidate does. */
  readonly gained: readonly string[];
}

export interface CountedDifference extends ShadowDifference {
  readonly requests: number;
  /** Milliseconds since the epoch. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

export interface ShadowReport {
  readonly world: World;
  readonly compared: number;
  readonly different: number;
  readonly differences: readonly CountedDifference[];
  /** Differences of which no more than their number is kept. */
  readonly unlisted: number;
}

/** Tenants and models are many; past so many differences only the sum goes on. */
const mostListed = 500;

interface Counter {
  readonly difference: ShadowDifference;
  requests: number;
  firstAtMs: number;
  lastAtMs: number;
}

interface Comparison {
  readonly compiled: CompiledPolicy;
  /** `undefined`: both decide the same. */
  readonly difference: ShadowDifference | undefined;
}

/**
 * Decides by a candidate policy beside the one that is active, and counts where they differ. Decisions are remembered
 * with what they were made by, and so are comparisons: a request whose decision was found again costs one look-up.
 */
export class Shadow {
  readonly #candidate: () => World | undefined;
  #world: World | undefined;
  #compiled: CompiledPolicy | undefined;
  #comparisons = new WeakMap<DecisionInputs, Comparison>();
  #counters = new Map<string, Counter>();
  #compared = 0;
  #different = 0;
  #unlisted = 0;

  /** `candidate` is asked for at each decision, for it may come and go; another one begins to count anew. */
  constructor(candidate: () => World | undefined) {
    this.#candidate = candidate;
  }

  /** Has no effect on the decision. */
  see(tenantId: string, decision: Authorised, atMs: number): void {
    const world = this.#current();
    if (world === undefined) return;
    const inputs = decision.ok ? decision.value.inputs : decision.inputs;
    const compiled = this.#compiledAt(world, atMs);
    let comparison = this.#comparisons.get(inputs);
    if (comparison?.compiled !== compiled) {
      comparison = { compiled, difference: compare(tenantId, decision, decideBy({ ...inputs, atMs }, compiled)) };
      this.#comparisons.set(inputs, comparison);
    }
    this.#compared += 1;
    if (comparison.difference !== undefined) this.#count(comparison.difference, atMs);
  }

  /** `undefined` where there is no candidate. The most frequent differences come first. */
  report(): ShadowReport | undefined {
    const world = this.#current();
    if (world === undefined) return undefined;
    const differences = [...this.#counters.values()]
      .map(({ difference, ...counted }) => ({ ...difference, ...counted }))
      .sort((one, other) => other.requests - one.requests);
    return { world, compared: this.#compared, different: this.#different, differences, unlisted: this.#unlisted };
  }

  #current(): World | undefined {
    const world = this.#candidate();
    if (world !== this.#world) {
      this.#world = world;
      this.#compiled = undefined;
      this.#comparisons = new WeakMap();
      this.#counters = new Map();
      this.#compared = this.#different = this.#unlisted = 0;
    }
    return world;
  }

  #compiledAt({ policy, catalogue }: World, atMs: number): CompiledPolicy {
    if (this.#compiled === undefined || !this.#compiled.holdsAt(atMs)) {
      // When it is to begin says nothing of what it would decide.
      const undated = { ...policy, effectiveFromMs: undefined, effectiveToMs: undefined };
      this.#compiled = new CompiledPolicy(undated, catalogue, atMs);
    }
    return this.#compiled;
  }

  #count(difference: ShadowDifference, atMs: number): void {
    this.#different += 1;
    const key = JSON.stringify(difference);
    const counter = this.#counters.get(key);
    if (counter !== undefined) {
      counter.requests += 1;
      counter.lastAtMs = atMs;
    } else if (this.#counters.size < mostListed) {
      this.#counters.set(key, { difference, requests: 1, firstAtMs: atMs, lastAtMs: atMs });
    } else this.#unlisted += 1;
  }
}

function compare(tenantId: string, active: Authorised, { inputs, outcome }: Judgement): ShadowDifference | undefined {
  const activeIds = active.ok ? active.value.deployments.map(({ id }) => id) : [];
  const candidateIds = outcome.ok ? outcome.grant.deployments.map(({ id }) => id) : [];
  const difference: ShadowDifference = {
    tenantId,
    model: inputs.model,
    surface: inputs.surface,
    activeRefusal: active.ok ? undefined : active.refusal.kind,
    candidateRefusal: outcome.ok ? undefined : outcome.refusal.kind,
    activeModel: active.ok ? active.value.model.id : undefined,
    candidateModel: outcome.ok ? outcome.grant.model.id : undefined,
    lost: activeIds.filter((id) => !candidateIds.includes(id)),
    gained: candidateIds.filter((id) => !activeIds.includes(id)),
  };
  const same =
    difference.activeRefusal === difference.candidateRefusal &&
    difference.activeModel === difference.candidateModel &&
    difference.lost.length + difference.gained.length === 0;
  return same ? undefined : difference;
}
