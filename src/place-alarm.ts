import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Deployment } from "./region/catalogue.ts";
import { misplaced } from "./upstream/record.ts";

/** What was found wrong with one deployment's place, since this process began. */
export interface PlaceMismatches {
  readonly deployment: string;
  /** Answers from elsewhere than declared. */
  readonly answers: number;
  /** Connections refused because of where they led. Nothing was sent over them. */
  readonly connections: number;
  /** Milliseconds since the epoch. */
  readonly lastAtMs: number;
  readonly last: string;
}

/** Takes a deployment out of use: here from the call on, elsewhere once it resolves. */
export type Quarantine = (deployment: Deployment, reason: string) => Promise<void>;

/**
 * Raised where an upstream is not what is declared of it. An answer from elsewhere takes the deployment out of use on
 * every replica until an operator lifts that: what was untrue once will be so again, and each further prompt would go
 * there as well. A connection that was refused has told nobody anything, so it only raises the alarm.
 */
export class PlaceAlarm {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #quarantine: Quarantine;
  readonly #found = new Map<string, PlaceMismatches>();

  constructor(clock: Clock, log: Log, quarantine: Quarantine) {
    this.#clock = clock;
    this.#log = log;
    this.#quarantine = quarantine;
  }

  /** Never rejects: the alarm must not take the exchange down that raised it. */
  async raise(deployment: Deployment, outcome: string, mismatch: string, requestId: string): Promise<void> {
    const isAnswer = outcome === misplaced;
    this.#count(deployment, isAnswer, mismatch);
    const fields = { requestId, deployment: deployment.id, mismatch };
    if (!isAnswer) return this.#log.error("a connection to an upstream is refused", fields);
    this.#log.error("an upstream contradicts where it is declared to run, and is taken out of use", fields);
    try {
      await this.#quarantine(deployment, `quarantined: ${mismatch}`);
    } catch (error) {
      this.#log.error("a quarantine could not be made known everywhere", { ...fields, error: String(error) });
    }
  }

  /** Latest first. */
  list(): readonly PlaceMismatches[] {
    return [...this.#found.values()].sort((left, right) => right.lastAtMs - left.lastAtMs);
  }

  #count({ id }: Deployment, isAnswer: boolean, last: string): void {
    const before = this.#found.get(id);
    this.#found.set(id, {
      deployment: id,
      answers: (before?.answers ?? 0) + (isAnswer ? 1 : 0),
      connections: (before?.connections ?? 0) + (isAnswer ? 0 : 1),
      lastAtMs: this.#clock.nowMs(),
      last,
    });
  }
}
