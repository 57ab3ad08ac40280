/** How a decision of a candidate policy differs from the one that was made. */
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

export interface ShadowSums {
  /** Requests that were decided by both. */
  readonly compared: number;
  readonly different: number;
  readonly differences: readonly CountedDifference[];
  /** Requests with differences of which no more than their number is kept. */
  readonly unlisted: number;
}

/** What one replica counted of one candidate. */
export interface ShadowCounts extends ShadowSums {
  /** The candidate by the digests of its policy and catalogue. */
  readonly candidate: string;
  /** The replica's id. */
  readonly replica: string;
}

/** Where replicas put what they counted together, so that no restart forgets it. One candidate is tried at a time. */
export interface ShadowRecords {
  /**
   * What a replica counted of a candidate, all of it: in place of what it said before, unless that was more. What was counted
   * of other candidates is forgotten.
   */
  keepShadow(counts: ShadowCounts): Promise<void>;
  /** Of every replica. */
  shadows(candidate: string): Promise<readonly ShadowCounts[]>;
}

/** Over all replicas, the most frequent differences first. Of two copies of one replica's word the greater counts. */
export function sumShadows(all: Iterable<ShadowCounts>): ShadowSums & { readonly replicas: number } {
  const words = new Map<string, ShadowCounts>();
  for (const counts of all) {
    const known = words.get(counts.replica);
    if (known === undefined || counts.compared > known.compared) words.set(counts.replica, counts);
  }
  const differences = new Map<string, CountedDifference>();
  for (const found of [...words.values()].flatMap((counts) => counts.differences)) {
    const key = differenceKey(found);
    const sum = differences.get(key);
    differences.set(key, sum === undefined ? found : join(sum, found));
  }
  const total = (of: "compared" | "different" | "unlisted"): number =>
    [...words.values()].reduce((sum, counts) => sum + counts[of], 0);
  return {
    replicas: words.size,
    compared: total("compared"),
    different: total("different"),
    unlisted: total("unlisted"),
    differences: [...differences.values()].sort((one, other) => other.requests - one.requests),
  };
}

/** Equal where two differences are the same; a store may have dropped members that are `undefined`. */
export function differenceKey(difference: ShadowDifference): string {
  const { tenantId, model, surface, activeRefusal, candidateRefusal, activeModel, candidateModel, lost, gained } = difference;
  return JSON.stringify([tenantId, model, surface, activeRefusal, candidateRefusal, activeModel, candidateModel, lost, gained]);
}

function join(left: CountedDifference, right: CountedDifference): CountedDifference {
  return {
    ...left,
    requests: left.requests + right.requests,
    firstAtMs: Math.min(left.firstAtMs, right.firstAtMs),
    lastAtMs: Math.max(left.lastAtMs, right.lastAtMs),
  };
}
