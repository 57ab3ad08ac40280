/** What one replica found wrong with one deployment's place. */
export interface PlaceMismatches {
  readonly deployment: string;
  /** The replica's id. */
  readonly replica: string;
  /** Answers from elsewhere than declared. */
  readonly answers: number;
  /** Connections refused because of where they led. Nothing was sent over them. */
  readonly connections: number;
  /** Milliseconds since the epoch. */
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  readonly last: string;
  /** The request that found the last one. */
  readonly lastRequest: string;
}

/** Keeps what is found for good, so that a restart does not forget it. */
export interface PlaceRecords {
  /** What a replica found of a deployment, all of it: in place of what it said before, unless that was more. */
  keepMismatches(found: PlaceMismatches): Promise<void>;
  /** Of every deployment and replica. */
  mismatches(): Promise<readonly PlaceMismatches[]>;
}

export type DeploymentMismatches = Omit<PlaceMismatches, "replica">;

export function countOf({ answers, connections }: PlaceMismatches): number {
  return answers + connections;
}

/** By deployment, latest first. Of two copies of one replica's word the greater counts. */
export function sumByDeployment(found: Iterable<PlaceMismatches>): readonly DeploymentMismatches[] {
  const words = new Map<string, PlaceMismatches>();
  for (const one of found) {
    const name = JSON.stringify([one.deployment, one.replica]);
    const known = words.get(name);
    if (known === undefined || countOf(one) > countOf(known)) words.set(name, one);
  }
  const sums = new Map<string, DeploymentMismatches>();
  for (const { replica: _, ...one } of words.values()) {
    const sum = sums.get(one.deployment);
    sums.set(one.deployment, sum === undefined ? one : join(sum, one));
  }
  return [...sums.values()].sort((left, right) => right.lastAtMs - left.lastAtMs);
}

function join(left: DeploymentMismatches, right: DeploymentMismatches): DeploymentMismatches {
  return {
    ...(left.lastAtMs < right.lastAtMs ? right : left),
    answers: left.answers + right.answers,
    connections: left.connections + right.connections,
    firstAtMs: Math.min(left.firstAtMs, right.firstAtMs),
  };
}
