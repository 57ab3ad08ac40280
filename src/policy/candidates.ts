import type { Deployment, Surface } from "../region/catalogue.ts";
import { objectionsTo, type DeploymentChecks } from "./deployment-rules.ts";
import { objectionKind, type Finding } from "./finding.ts";
import { Memo } from "./memo.ts";
import type { RefusedCandidate } from "./permit.ts";

/** One deployment of the model with everything that speaks against it; admitted where nothing does. */
export interface Verdict {
  readonly deployment: Deployment;
  readonly objections: readonly Finding[];
}

/** The same of all deployments that rules cannot tell apart. */
export interface ClassVerdict {
  readonly deployments: number;
  readonly speaksSurface: boolean;
  readonly objections: readonly Finding[];
}

/** What the rules about places say to all deployments of a model, for every subject that they cannot tell apart. */
export interface Placement {
  readonly checks: DeploymentChecks;
  /** In the order of the first deployment of each. */
  readonly classes: readonly ClassVerdict[];
  /** Deployment by deployment, in the catalogue's order. */
  readonly candidates: () => readonly Verdict[];
  readonly admitted: readonly Deployment[];
  readonly refused: readonly RefusedCandidate[];
  /** Every candidate as refused: each by what speaks against itself, and those that nothing does by what speaks against the subject. */
  readonly refusedFor: (subject: Finding | undefined) => readonly RefusedCandidate[];
}

/** Past this many lists of each kind they are made anew. */
const mostLists = 100;

const nobody: readonly RefusedCandidate[] = Object.freeze([]);

/**
 * The deployments of a model as rules see them on one surface. They may be hundreds, but of the same countries, evidence and
 * surfaces are many, and what is found of one of those is found of all. Rules are asked once a class, and the lists of
 * deployments that follow are made once for all subjects of whose classes the same is found.
 */
export class Candidates {
  readonly #surface: Surface;
  readonly #deployments: readonly Deployment[];
  /** The first deployment of each class, in the catalogue's order. */
  readonly #examples: readonly Deployment[];
  readonly #sizes: readonly number[];
  /** Of each deployment, the place of its class. */
  readonly #classOf: readonly number[];
  readonly #admitted = new Memo<string, readonly Deployment[]>(mostLists);
  readonly #refused = new Memo<string, readonly RefusedCandidate[]>(mostLists);

  private constructor(deployments: readonly Deployment[], surface: Surface) {
    const places = new Map<string, number>();
    const examples: Deployment[] = [];
    const sizes: number[] = [];
    this.#classOf = deployments.map((deployment) => {
      const key = classKey(deployment, surface);
      const place = places.get(key) ?? places.size;
      if (place === places.size) examples.push(deployment);
      places.set(key, place);
      sizes[place] = (sizes[place] ?? 0) + 1;
      return place;
    });
    this.#surface = surface;
    this.#deployments = deployments;
    this.#examples = examples;
    this.#sizes = sizes;
  }

  /** The same for all policies: it depends on the catalogue alone. */
  static of(deployments: readonly Deployment[], surface: Surface): Candidates {
    let bySurface = known.get(deployments);
    if (bySurface === undefined) known.set(deployments, (bySurface = new Map()));
    let candidates = bySurface.get(surface);
    if (candidates === undefined) bySurface.set(surface, (candidates = new Candidates(deployments, surface)));
    return candidates;
  }

  judge(checks: DeploymentChecks): Placement {
    const objections = this.#examples.map((example) => Object.freeze(objectionsTo(example, this.#surface, checks)));
    const ofDeployment = (number: number): readonly Finding[] => objections[this.#classOf[number] ?? -1] ?? [];
    return {
      checks,
      classes: objections.map((each, place) => ({
        deployments: this.#sizes[place] ?? 0,
        speaksSurface: this.#examples[place]?.surfaces.has(this.#surface) === true,
        objections: each,
      })),
      candidates: () => this.#deployments.map((deployment, number) => ({ deployment, objections: ofDeployment(number) })),
      admitted: this.#admitted.get(objections.map(({ length }) => Math.min(length, 1)).join(""), () =>
        Object.freeze(this.#deployments.filter((_, number) => ofDeployment(number).length === 0)),
      ),
      refused: this.#refusedBy(objections.map(([first]) => first)),
      refusedFor: (subject) => {
        const own = this.#refusedBy(objections.map(([first]) => first));
        const others = this.#refusedBy(objections.map(({ length }) => (length === 0 ? subject : undefined)));
        return own.length === 0 ? others : Object.freeze([...own, ...others]);
      },
    };
  }

  /** The deployments of each class that has an objection. */
  #refusedBy(objections: readonly (Finding | undefined)[]): readonly RefusedCandidate[] {
    if (objections.every((objection) => objection === undefined)) return nobody;
    const key = objections
      .map((each) => (each === undefined ? "" : `${each.rule} ${each.kind} ${each.outcome} ${each.reason}`))
      .join("\n");
    return this.#refused.get(key, () =>
      Object.freeze(this.#deployments.flatMap(({ id }, number) => refusedCandidate(id, objections[this.#classOf[number] ?? -1]))),
    );
  }
}

const known = new WeakMap<readonly Deployment[], Map<Surface, Candidates>>();

/** In the order in which the countries stand: a finding names the first that a rule is about. */
function classKey({ countries, evidence, surfaces }: Deployment, surface: Surface): string {
  const places = countries.kind === "countries" ? [...countries.countries].join() : countries.kind;
  return `${places} ${evidence} ${surfaces.has(surface)}`;
}

/** A refused deployment as permits and receipts tell it: by the first objection; nothing where there is none. */
function refusedCandidate(deployment: string, objection: Finding | undefined): RefusedCandidate[] {
  if (objection === undefined) return [];
  const { rule, reason } = objection;
  return [Object.freeze({ deployment, kind: objectionKind(objection), rule, reason })];
}
