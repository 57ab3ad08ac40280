import type { Authorised } from "../policy/authorise.ts";
import { CompiledPolicy } from "../policy/compiled-policy.ts";
import { decideBy, type Judgement } from "../policy/decide.ts";
import type { DecisionInputs } from "../policy/decision-inputs.ts";
import type { World } from "../policy/world.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import {
  differenceKey,
  sumShadows,
  type ShadowCounts,
  type ShadowDifference,
  type ShadowRecords,
  type ShadowSums,
} from "../shadow-counts.ts";

export interface ShadowReport extends ShadowSums {
  readonly world: World;
  /** How many replicas counted, those that run no more included. */
  readonly replicas: number;
}

export interface ShadowPorts {
  /** Asked for at each decision, for it may come and go; another one begins to count anew. */
  readonly candidate: () => World | undefined;
  readonly records: ShadowRecords;
  /** This replica's id. */
  readonly replica: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long what was counted may be unknown to other replicas, in milliseconds. */
export const keepEveryMs = 5_000;

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
 * Decides by a candidate policy beside the one that is active, and counts where they differ, together with all other
 * replicas. Decisions are remembered with what they were made by, and so are comparisons: a request whose decision was
 * found again costs one look-up.
 */
export class Shadow {
  readonly #ports: ShadowPorts;
  #world: World | undefined;
  #compiled: CompiledPolicy | undefined;
  #comparisons = new WeakMap<DecisionInputs, Comparison>();
  #counters = new Map<string, Counter>();
  #compared = 0;
  #different = 0;
  #unlisted = 0;
  /** When what was counted is put on record next; `undefined` while nothing new is. */
  #keepAtMs: number | undefined;

  constructor(ports: ShadowPorts) {
    this.#ports = ports;
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
    this.#keepSoon();
  }

  /** Over all replicas; `undefined` where there is no candidate here. Rejects where the others' word cannot be read. */
  async report(): Promise<ShadowReport | undefined> {
    const world = this.#current();
    if (world === undefined) return undefined;
    const others = await this.#ports.records.shadows(nameOf(world));
    return { world, ...sumShadows([...others, ...(this.#compared === 0 ? [] : [this.#counts(world)])]) };
  }

  /** By a timer, for the last requests too; and by the request that finds it late, for not every runtime lets timers outlive one. */
  #keepSoon(): void {
    const { clock } = this.#ports;
    const nowMs = clock.nowMs();
    if (this.#keepAtMs === undefined) {
      this.#keepAtMs = nowMs + keepEveryMs;
      clock.after(keepEveryMs, () => this.#keep());
    } else if (nowMs > this.#keepAtMs) this.#keep();
  }

  #keep(): void {
    const world = this.#current();
    if (this.#keepAtMs === undefined || world === undefined) return;
    this.#keepAtMs = undefined;
    this.#ports.records.keepShadow(this.#counts(world)).catch((error: unknown) => {
      // It is all told again with the next.
      this.#ports.log.warn("what the shadow policy would decide could not be put on record yet", { error: String(error) });
    });
  }

  #counts(world: World): ShadowCounts {
    return {
      candidate: nameOf(world),
      replica: this.#ports.replica,
      compared: this.#compared,
      different: this.#different,
      differences: [...this.#counters.values()].map(({ difference, ...counted }) => ({ ...difference, ...counted })),
      unlisted: this.#unlisted,
    };
  }

  #current(): World | undefined {
    const world = this.#ports.candidate();
    if (world === this.#world) return world;
    this.#compiled = undefined;
    this.#comparisons = new WeakMap();
    // What was read again and is the same goes on counting.
    if (world === undefined || this.#world === undefined || nameOf(world) !== nameOf(this.#world)) {
      this.#counters = new Map();
      this.#compared = this.#different = this.#unlisted = 0;
    }
    this.#world = world;
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
    const key = differenceKey(difference);
    const counter = this.#counters.get(key);
    if (counter !== undefined) {
      counter.requests += 1;
      counter.lastAtMs = atMs;
    } else if (this.#counters.size < mostListed) {
      this.#counters.set(key, { difference, requests: 1, firstAtMs: atMs, lastAtMs: atMs });
    } else this.#unlisted += 1;
  }
}

/** A candidate decides otherwise over another catalogue. */
function nameOf({ policy, catalogue }: World): string {
  return `${policy.digest} ${catalogue.digest}`;
}

function compare(tenantId: string, active: Authorised, { inputs, outcome }: Judgement): ShadowDifference | undefined {
  const activeIds = active.ok ? active.value.deployments.map(({ id }) => id) : [];
  const candidateIds = outcome.ok ? outcome.grant.deployments.map(({ id }) => id) : [];
  const difference: ShadowDifference = {
    tenantId,
    // Only what was read is compared.
    model: inputs.model ?? "",
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
