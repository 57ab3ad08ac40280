import { sleep, type Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import {
  countOf,
  sumByDeployment,
  type DeploymentMismatches,
  type PlaceMismatches,
  type PlaceRecords,
} from "./place-mismatches.ts";
import type { Deployment } from "./region/catalogue.ts";
import { misplaced } from "./upstream/record.ts";

/** Takes a deployment out of use: here from the call on, elsewhere once it resolves. */
export type Quarantine = (deployment: Deployment, reason: string) => Promise<void>;

export interface PlaceAlarmPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** This replica's id. */
  readonly replica: string;
  readonly records: PlaceRecords;
  readonly quarantine: Quarantine;
}

/** Records that are slow must not hold up the exchange that raised the alarm. */
const keepWaitMs = 1_000;

/**
 * Raised where an upstream is not what is declared of it. An answer from elsewhere takes the deployment out of use on
 * every replica until an operator lifts that: what was untrue once will be so again, and each further prompt would go
 * there as well. A connection that was refused has told nobody anything, so it only raises the alarm.
 */
export class PlaceAlarm {
  readonly #ports: PlaceAlarmPorts;
  readonly #found = new Map<string, PlaceMismatches>();
  /** How many of a deployment's are on record. */
  readonly #kept = new Map<string, number>();

  constructor(ports: PlaceAlarmPorts) {
    this.#ports = ports;
  }

  /** Never rejects: the alarm must not take the exchange down that raised it. */
  async raise(deployment: Deployment, outcome: string, mismatch: string, requestId: string): Promise<void> {
    const { clock, log } = this.#ports;
    const isAnswer = outcome === misplaced;
    this.#count(deployment, isAnswer, mismatch, requestId);
    const fields = { requestId, deployment: deployment.id, mismatch };
    if (isAnswer) log.error("an upstream contradicts where it is declared to run, and is taken out of use", fields);
    else log.error("a connection to an upstream is refused", fields);
    const kept = Promise.race([this.#keep(), sleep(clock, keepWaitMs)]);
    if (isAnswer) await this.#quarantine(deployment, mismatch, fields);
    await kept;
  }

  /** What every replica found since there are records, by deployment, latest first. Rejects where they cannot be read. */
  async list(): Promise<readonly DeploymentMismatches[]> {
    // What could not be kept when it was found.
    await this.#keep();
    return sumByDeployment([...(await this.#ports.records.mismatches()), ...this.#found.values()]);
  }

  async #quarantine(deployment: Deployment, mismatch: string, fields: Readonly<Record<string, string>>): Promise<void> {
    try {
      await this.#ports.quarantine(deployment, `quarantined: ${mismatch}`);
    } catch (error) {
      this.#ports.log.error("a quarantine could not be made known everywhere", { ...fields, error: String(error) });
    }
  }

  /** Puts on record what is not yet; what cannot be is tried again with the next. */
  async #keep(): Promise<void> {
    const { records, log } = this.#ports;
    const unkept = [...this.#found.values()].filter((found) => countOf(found) > (this.#kept.get(found.deployment) ?? 0));
    const keeping = unkept.map(async (found) => {
      await records.keepMismatches(found);
      this.#kept.set(found.deployment, Math.max(countOf(found), this.#kept.get(found.deployment) ?? 0));
    });
    for (const kept of await Promise.allSettled(keeping))
      if (kept.status === "rejected")
        log.warn("a place's mismatch could not be put on record yet", { error: String(kept.reason) });
  }

  #count({ id }: Deployment, isAnswer: boolean, last: string, lastRequest: string): void {
    const before = this.#found.get(id);
    const atMs = this.#ports.clock.nowMs();
    this.#found.set(id, {
      deployment: id,
      replica: this.#ports.replica,
      answers: (before?.answers ?? 0) + (isAnswer ? 1 : 0),
      connections: (before?.connections ?? 0) + (isAnswer ? 0 : 1),
      firstAtMs: before?.firstAtMs ?? atMs,
      lastAtMs: atMs,
      last,
      lastRequest,
    });
  }
}
