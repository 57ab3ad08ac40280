import type { Entropy } from "../clock.ts";
import type { Permit } from "../policy/permit.ts";
import type { Deployment } from "../region/catalogue.ts";
import type { Health } from "./health.ts";

/** Below this, differences in latency are noise. */
const noiseMs = 50;

/**
 * One of the permit's deployments that is available and was not tried yet: at random, in proportion to its weight over
 * its measured latency. At random, so that replicas which measure the same do not all run to the same deployment; and
 * one that was never measured counts as fast, or it would never be tried.
 */
export function choose(permit: Permit, health: Health, tried: ReadonlySet<string>, entropy: Entropy, nowMs: number): Deployment | undefined {
  let only: Deployment | undefined;
  let total = 0;
  const candidates: { deployment: Deployment; score: number }[] = [];
  for (const deployment of permit.deployments) {
    if (tried.has(deployment.id)) continue;
    const state = health.of(deployment.id);
    if (!state.available(nowMs)) continue;
    const score = deployment.weight / Math.max(noiseMs, state.latencyMs ?? noiseMs);
    candidates.push({ deployment, score });
    total += score;
    only = deployment;
  }
  if (candidates.length <= 1) return only;
  let point = fraction(entropy) * total;
  for (const candidate of candidates) {
    point -= candidate.score;
    if (point < 0) return candidate.deployment;
  }
  return only;
}

/** Milliseconds until one of the permit's deployments is available; 0 where one is now. */
export function waitMs(permit: Permit, health: Health, nowMs: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const deployment of permit.deployments) least = Math.min(least, health.of(deployment.id).waitMs(nowMs));
  return least;
}

/** In [0, 1), with 24 bits. */
function fraction(entropy: Entropy): number {
  const [high = 0, middle = 0, low = 0] = entropy.bytes(3);
  return (high * 65_536 + middle * 256 + low) / 16_777_216;
}
