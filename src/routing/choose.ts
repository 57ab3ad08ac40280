import type { Entropy } from "../clock.ts";
import type { Permit } from "../policy/permit.ts";
import type { Deployment } from "../region/catalogue.ts";
import type { Health } from "./health.ts";

/** Below this, differences in latency are noise. */
const noiseMs = 50;

/** Up to so many deployments, looking at each costs no more than drawing two. */
const scannedAtMost = 12;

/** How often a draw may meet one that rests or was tried before all are looked at. */
const draws = 12;

/**
 * One of the permit's deployments that is available and was not tried yet: at random, in proportion to its weight over
 * its measured latency. At random, so that replicas which measure the same do not all run to the same deployment; and
 * one that was never measured counts as fast, or it would never be tried.
 *
 * Of many, two are drawn by weight and latency decides between them: that takes the load off slow ones almost as well,
 * at a cost that does not grow with the catalogue.
 */
export function choose(
  permit: Permit,
  health: Health,
  tried: ReadonlySet<string>,
  entropy: Entropy,
  nowMs: number,
): Deployment | undefined {
  const { deployments } = permit;
  if (deployments.length > scannedAtMost) {
    const drawn = drawTwo(deployments, health, tried, entropy, nowMs);
    if (drawn !== undefined) return drawn;
  }
  return scan(deployments, health, tried, entropy, nowMs);
}

function scan(
  deployments: readonly Deployment[],
  health: Health,
  tried: ReadonlySet<string>,
  entropy: Entropy,
  nowMs: number,
): Deployment | undefined {
  let last: Deployment | undefined;
  let total = 0;
  const candidates: { deployment: Deployment; score: number }[] = [];
  for (const deployment of deployments) {
    if (!mayTake(deployment, health, tried, nowMs)) continue;
    const score = deployment.weight * speedOf(deployment, health);
    candidates.push({ deployment, score });
    total += score;
    last = deployment;
  }
  if (candidates.length <= 1) return last;
  let point = fraction(entropy) * total;
  for (const candidate of candidates) {
    point -= candidate.score;
    if (point < 0) return candidate.deployment;
  }
  return last;
}

/** `undefined` where chance met too few that may be taken; that says nothing of the rest. */
function drawTwo(
  deployments: readonly Deployment[],
  health: Health,
  tried: ReadonlySet<string>,
  entropy: Entropy,
  nowMs: number,
): Deployment | undefined {
  const ends = weightEnds(deployments);
  let first: Deployment | undefined;
  for (let draw = 0; draw < draws; draw++) {
    const drawn = deployments[indexAt(ends, fraction(entropy) * (ends.at(-1) ?? 0))];
    if (drawn === undefined || !mayTake(drawn, health, tried, nowMs)) continue;
    if (first === undefined) {
      first = drawn;
      continue;
    }
    const speed = speedOf(first, health);
    return fraction(entropy) * (speed + speedOf(drawn, health)) < speed ? first : drawn;
  }
  return undefined;
}

/**
 * How probable it is that `choose` takes each deployment first, for who asks what it would do. Those that rest have none.
 * The same sums as `scan` and `drawTwo` make, over all draws instead of one.
 */
export function chances(deployments: readonly Deployment[], health: Health, nowMs: number): ReadonlyMap<string, number> {
  const available = deployments.filter((deployment) => mayTake(deployment, health, new Set(), nowMs));
  const drawsTwo = deployments.length > scannedAtMost;
  const score = ({ weight }: Deployment, speed: number): number => weight * (drawsTwo ? 1 : speed);
  const entries = available.map((deployment) => {
    const speed = speedOf(deployment, health);
    return { id: deployment.id, speed, score: score(deployment, speed) };
  });
  const total = entries.reduce((sum, entry) => sum + entry.score, 0);
  if (!drawsTwo) return new Map(entries.map((entry) => [entry.id, entry.score / total]));
  const chanceOf = (one: (typeof entries)[number]): number =>
    entries.reduce((sum, other) => {
      const wins = other === one ? 1 : (2 * one.speed) / (one.speed + other.speed);
      return sum + (one.score / total) * (other.score / total) * wins;
    }, 0);
  return new Map(entries.map((entry) => [entry.id, chanceOf(entry)]));
}

function mayTake(deployment: Deployment, health: Health, tried: ReadonlySet<string>, nowMs: number): boolean {
  return !tried.has(deployment.id) && health.of(deployment.id).available(nowMs);
}

function speedOf(deployment: Deployment, health: Health): number {
  return 1 / Math.max(noiseMs, health.of(deployment.id).latencyMs ?? noiseMs);
}

/** Permits of one outcome share one frozen list, so this is worked out once a decision, not once a request. */
const knownEnds = new WeakMap<readonly Deployment[], Float64Array>();

/** Where each deployment's share of the weights ends, on a line of all of them. */
function weightEnds(deployments: readonly Deployment[]): Float64Array {
  let ends = knownEnds.get(deployments);
  if (ends === undefined) {
    let total = 0;
    ends = Float64Array.from(deployments, ({ weight }) => (total += weight));
    knownEnds.set(deployments, ends);
  }
  return ends;
}

/** The first share that ends beyond `point`. */
function indexAt(ends: Float64Array, point: number): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] as number) > point) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Milliseconds until one of the permit's deployments is available; 0 where one is now, infinite where there is none to
 * wait for. One that was tried and failed, and yet is available, is not worth waiting for.
 */
export function waitMs(permit: Permit, health: Health, nowMs: number, tried?: ReadonlySet<string>): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { id } of permit.deployments) {
    const wait = health.of(id).waitMs(nowMs);
    if (wait > 0 || tried?.has(id) !== true) least = Math.min(least, wait);
  }
  return least;
}

/** In [0, 1), with 24 bits. */
function fraction(entropy: Entropy): number {
  const [high = 0, middle = 0, low = 0] = entropy.bytes(3);
  return (high * 65_536 + middle * 256 + low) / 16_777_216;
}
