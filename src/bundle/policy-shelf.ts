import type { World } from "../policy/world.ts";
import type { SignedBundle } from "./signed-bundle.ts";

/** A policy that was taken, with the catalogue as it reads under this policy's groups. */
export interface ShelvedPolicy {
  /** The file that it was read from. */
  readonly file: string;
  readonly world: World;
  /** As it was read; `undefined` where it comes from a policy.toml by itself. */
  readonly signed: SignedBundle | undefined;
  /** The trusted key that signed it; `undefined` where none had to. */
  readonly keyId: string | undefined;
}

/** A bundle that was not taken. */
export interface RefusedPolicy {
  readonly file: string;
  readonly reason: string;
  /** The version of the bundle that was read from the same file before and goes on in its place. */
  readonly keptVersion: string | undefined;
}

/**
 * All policies that were taken, from which an instant picks its own: of those in force, the one that began last. Nothing
 * is switched by a timer, so replicas that hold the same bundles decide by the same one at every instant, and a policy
 * that ends is not in force from that instant on.
 */
export class PolicyShelf {
  readonly policies: readonly ShelvedPolicy[];
  readonly refused: readonly RefusedPolicy[];
  /** Decides nothing: what it would decide is compared with what is decided. */
  readonly shadow: ShelvedPolicy | undefined;
  readonly #boundariesMs: readonly number[];
  #chosen: { readonly policy: ShelvedPolicy; readonly fromMs: number; readonly untilMs: number } | undefined;

  constructor(first: ShelvedPolicy, others: readonly ShelvedPolicy[], refused: readonly RefusedPolicy[], shadow?: ShelvedPolicy) {
    this.policies = [first, ...others].sort((a, b) => startMs(a) - startMs(b));
    this.refused = refused;
    this.shadow = shadow;
    this.#boundariesMs = this.policies.flatMap((policy) => [startMs(policy), endMs(policy)]).sort((a, b) => a - b);
  }

  /** The same policies over other worlds: a demonstration points the regions at its simulator. */
  adapted(adapt: (world: World) => World): PolicyShelf {
    const change = (policy: ShelvedPolicy): ShelvedPolicy => ({ ...policy, world: adapt(policy.world) });
    const [first, ...others] = this.policies.map(change);
    return new PolicyShelf(firstOf([first]), others, this.refused, this.shadow && change(this.shadow));
  }

  /** The world of an instant. Where none is in force, one whose policy says of itself that it is not: it admits nothing. */
  at(atMs: number): World {
    return this.policyAt(atMs).world;
  }

  policyAt(atMs: number): ShelvedPolicy {
    const last = this.#chosen;
    if (last !== undefined && last.fromMs <= atMs && atMs < last.untilMs) return last.policy;
    const fromMs = this.#boundariesMs.findLast((boundary) => boundary <= atMs) ?? -Infinity;
    const untilMs = this.#boundariesMs.find((boundary) => boundary > atMs) ?? Infinity;
    const policy = this.#choose(atMs);
    this.#chosen = { policy, fromMs, untilMs };
    return policy;
  }

  #choose(atMs: number): ShelvedPolicy {
    const begun = this.policies.filter((policy) => startMs(policy) <= atMs);
    return begun.findLast((policy) => isInForce(policy, atMs)) ?? begun.at(-1) ?? firstOf(this.policies);
  }
}

export function isInForce(policy: ShelvedPolicy, atMs: number): boolean {
  return startMs(policy) <= atMs && atMs < endMs(policy);
}

export function startMs({ world }: ShelvedPolicy): number {
  return world.policy.effectiveFromMs ?? -Infinity;
}

export function endMs({ world }: ShelvedPolicy): number {
  return world.policy.effectiveToMs ?? Infinity;
}

function firstOf(policies: readonly (ShelvedPolicy | undefined)[]): ShelvedPolicy {
  const [first] = policies;
  if (first === undefined) throw new TypeError("a shelf holds at least one policy");
  return first;
}
