import { Breaker, defaultBreaker, type BreakerSettings } from "./breaker.ts";

/** How much a new measurement weighs in the moving average of the latency. */
const newWeight = 0.2;

/** What this process has seen of one deployment. */
export class DeploymentHealth {
  readonly breaker: Breaker;
  readonly #failures: number;
  /** Answers in a row that broke after they had begun. */
  #broken = 0;
  /** Moving average of the time to the first byte; `undefined` before the first answer. */
  latencyMs: number | undefined;
  /** The upstream asked to be left alone until then (`retry-after`). */
  coolUntilMs = 0;

  constructor(settings: BreakerSettings) {
    this.breaker = new Breaker(settings);
    this.#failures = settings.failures;
  }

  /** Available = healthy and not asked to be left alone. */
  available(nowMs: number): boolean {
    return nowMs >= this.coolUntilMs && this.breaker.admits(nowMs);
  }

  waitMs(nowMs: number): number {
    return Math.max(this.coolUntilMs - nowMs, this.breaker.waitMs(nowMs), 0);
  }

  answered(latencyMs: number): void {
    this.breaker.succeeded();
    this.latencyMs = this.latencyMs === undefined ? latencyMs : this.latencyMs + newWeight * (latencyMs - this.latencyMs);
  }

  /** An answer that was a proper one, though an error: the deployment lives. */
  refusedRequest(): void {
    this.breaker.succeeded();
  }

  /** An answer ended as it should. */
  completed(): void {
    this.#broken = 0;
  }

  /**
   * An answer broke after it had begun. The breaker took its beginning for a success, so these are counted by themselves:
   * a deployment that cuts every answer off would otherwise never be left alone.
   */
  brokeOff(nowMs: number): void {
    if (++this.#broken < this.#failures) return;
    this.#broken = 0;
    this.breaker.trip(nowMs);
  }

  failed(nowMs: number): void {
    this.breaker.failed(nowMs);
  }

  /** At capacity is not ill: the breaker stays, and nothing is sent until the upstream's own time. */
  busy(nowMs: number, retryAfterMs: number, beganMs: number = nowMs): void {
    this.coolUntilMs = Math.max(this.coolUntilMs, nowMs + retryAfterMs);
    this.breaker.withdrawn(beganMs);
  }
}

/** Health by deployment id, kept across reloads of the catalogue. */
export class Health {
  readonly #settings: BreakerSettings;
  readonly #deployments = new Map<string, DeploymentHealth>();

  constructor(settings: BreakerSettings = defaultBreaker) {
    this.#settings = settings;
  }

  of(deploymentId: string): DeploymentHealth {
    let health = this.#deployments.get(deploymentId);
    if (health === undefined) {
      health = new DeploymentHealth(this.#settings);
      this.#deployments.set(deploymentId, health);
    }
    return health;
  }
}
