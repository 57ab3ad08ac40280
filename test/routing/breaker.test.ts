import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Breaker, type BreakerSettings } from "../../src/routing/breaker.ts";
import { DeploymentHealth } from "../../src/routing/health.ts";

const settings: BreakerSettings = { failures: 3, openMs: 1_000, longestOpenMs: 4_000 };

type Step = { readonly kind: "begin" | "succeed" | "fail" | "withdraw" } | { readonly kind: "wait"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom<Step>(
      { kind: "begin" },
      { kind: "begin" },
      { kind: "succeed" },
      { kind: "fail" },
      { kind: "fail" },
      { kind: "withdraw" },
    ),
  },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 2_500 }).map((ms): Step => ({ kind: "wait", ms })) },
);

/** The drawing, in the plainest form: requests that admit was asked for, one report for each. */
class Model {
  state: "closed" | "open" | "half-open" = "closed";
  row = 0;
  openings = 0;
  untilMs = 0;
  probeSinceMs: number | undefined;

  settle(nowMs: number): void {
    if (this.state === "open" && nowMs >= this.untilMs) {
      this.state = "half-open";
      this.probeSinceMs = undefined;
    }
  }

  admits(nowMs: number): boolean {
    this.settle(nowMs);
    if (this.state !== "half-open") return this.state === "closed";
    return this.probeSinceMs === undefined || nowMs - this.probeSinceMs > settings.longestOpenMs;
  }

  fail(nowMs: number): void {
    if (this.state === "open" || (this.state === "half-open" && this.probeSinceMs === undefined)) return;
    if (this.state === "closed" && ++this.row < settings.failures) return;
    this.openings = this.state === "closed" ? 1 : this.openings + 1;
    this.state = "open";
    this.row = 0;
    this.untilMs = nowMs + Math.min(settings.longestOpenMs, settings.openMs * 2 ** (this.openings - 1));
  }

  succeed(): void {
    this.state = "closed";
    this.row = 0;
  }
}

describe("Breaker", () => {
  it("does what its drawing says, whatever happens when", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const breaker = new Breaker(settings);
        const model = new Model();
        let nowMs = 1_000_000;
        const open: number[] = [];
        for (const each of steps) {
          expect(breaker.admits(nowMs)).toBe(model.admits(nowMs));
          expect(breaker.stateAt(nowMs)).toBe(model.state);
          expect(breaker.waitMs(nowMs) === 0).toBe(model.admits(nowMs));
          if (each.kind === "wait") nowMs += each.ms;
          else if (each.kind === "begin") {
            // Nobody begins what was not admitted.
            if (!model.admits(nowMs)) continue;
            breaker.begin(nowMs);
            if (model.state === "half-open") model.probeSinceMs = nowMs;
            open.push(nowMs);
          } else if (open.length > 0) {
            const beganMs = open.shift() as number;
            if (each.kind === "succeed") {
              breaker.succeeded();
              model.succeed();
            } else if (each.kind === "fail") {
              breaker.failed(nowMs);
              model.fail(nowMs);
            } else {
              breaker.withdrawn(beganMs);
              if (model.probeSinceMs === beganMs) model.probeSinceMs = undefined;
            }
          }
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("lets exactly one probe go when its time is over, and closes when that one succeeds", () => {
    const breaker = opened();
    expect(breaker.admits(999)).toBe(false);
    expect(breaker.waitMs(400)).toBe(600);
    expect(breaker.admits(1_000)).toBe(true);
    breaker.begin(1_000);
    expect(breaker.admits(1_000)).toBe(false);
    expect(breaker.admits(4_999)).toBe(false);
    breaker.succeeded();
    expect(breaker.stateAt(1_001)).toBe("closed");
    expect(breaker.admits(1_001)).toBe(true);
  });

  it("stays open twice as long each time a probe fails, up to the longest", () => {
    const breaker = opened();
    let nowMs = 1_000;
    for (const openMs of [2_000, 4_000, 4_000]) {
      breaker.begin(nowMs);
      breaker.failed(nowMs);
      expect(breaker.waitMs(nowMs)).toBe(openMs);
      nowMs += openMs;
    }
    breaker.begin(nowMs);
    breaker.succeeded();
    for (let failure = 0; failure < settings.failures; failure++) breaker.failed(nowMs);
    expect(breaker.waitMs(nowMs)).toBe(settings.openMs);
  });

  it("gives the probe's place back when its client leaves, and when it is never heard of again", () => {
    const breaker = opened();
    breaker.begin(1_000);
    expect(breaker.admits(1_001)).toBe(false);
    breaker.withdrawn(1_000);
    expect(breaker.admits(1_001)).toBe(true);
    breaker.begin(1_001);
    expect(breaker.admits(1_001 + settings.longestOpenMs)).toBe(false);
    expect(breaker.admits(1_002 + settings.longestOpenMs)).toBe(true);
  });

  it("keeps the probe's place when a request leaves that began before it opened", () => {
    const breaker = opened();
    breaker.begin(1_000);
    breaker.withdrawn(0);
    expect(breaker.admits(1_001)).toBe(false);
  });

  it("counts only failures in a row", () => {
    const breaker = new Breaker(settings);
    for (let round = 0; round < 5; round++) {
      breaker.failed(0);
      breaker.failed(0);
      breaker.succeeded();
    }
    expect(breaker.stateAt(0)).toBe("closed");
  });

  it("is not pushed further away by late failures of requests that began before it opened", () => {
    const breaker = opened();
    breaker.failed(900);
    expect(breaker.waitMs(900)).toBe(100);
  });
});

describe("DeploymentHealth", () => {
  it("rests for as long as the upstream asked, and the longest request of several counts", () => {
    const health = new DeploymentHealth(settings);
    health.busy(0, 2_000);
    health.busy(0, 500);
    expect(health.available(1_999)).toBe(false);
    expect(health.waitMs(500)).toBe(1_500);
    expect(health.available(2_000)).toBe(true);
    expect(health.breaker.stateAt(0)).toBe("closed");
  });

  it("opens after answers in a row that broke once they had begun, and a completed one begins the count anew", () => {
    const health = new DeploymentHealth(settings);
    for (const broken of [true, true, false, true, true]) {
      health.answered(10);
      if (broken) health.brokeOff(0);
      else health.completed();
    }
    expect(health.available(0)).toBe(true);
    health.answered(10);
    health.brokeOff(0);
    expect(health.available(0)).toBe(false);
    expect(health.waitMs(0)).toBe(settings.openMs);
  });

  it("follows the latency with a moving average", () => {
    const health = new DeploymentHealth(settings);
    expect(health.latencyMs).toBeUndefined();
    health.answered(100);
    expect(health.latencyMs).toBe(100);
    health.answered(200);
    expect(health.latencyMs).toBeCloseTo(120);
  });
});

function opened(): Breaker {
  const breaker = new Breaker(settings);
  for (let failure = 0; failure < settings.failures; failure++) {
    breaker.begin(0);
    breaker.failed(0);
  }
  expect(breaker.stateAt(0)).toBe("open");
  return breaker;
}
