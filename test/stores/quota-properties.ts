import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { periodsOf, type AppliedLimit } from "../../src/quota/limit.ts";
import { amountOf } from "../../src/quota/counter.ts";
import type { LimitState } from "../../src/quota/store.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { NaiveQuota } from "./naive-quota.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import { worldBeginsMs, type OpenStoreWorld, type StoreWorld } from "./store-world.ts";

const leaseMs = 20_000;
const pause = fc.constantFrom(0, 1, 499, 5_000, 30_000, 61_000, 3_600_000, 86_400_000);
const pick = fc.nat(1_000);
const share = fc.integer({ min: 0, max: 100 });

type Step =
  | { readonly do: "reserve"; readonly tokens: number; readonly mask: number }
  | { readonly do: "settle"; readonly pick: number; readonly percent: number }
  | { readonly do: "renew"; readonly pick: number }
  | { readonly do: "advance"; readonly byMs: number }
  | { readonly do: "expire" }
  | { readonly do: "restart" };

const reserveStep = fc.record({
  do: fc.constant("reserve" as const),
  tokens: fc.nat(400),
  mask: fc.integer({ min: 1, max: 1_023 }),
});
const settleStep = fc.record({ do: fc.constant("settle" as const), pick, percent: share });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: reserveStep },
  { weight: 6, arbitrary: settleStep },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("renew" as const), pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("advance" as const), byMs: pause }) },
  { weight: 2, arbitrary: fc.constant({ do: "expire" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
);

const ceilings = fc.record({
  requests: fc.integer({ min: 1, max: 40 }),
  tokens: fc.integer({ min: 1, max: 1_000 }),
  burst: fc.integer({ min: 1, max: 2_000 }),
  daily: fc.integer({ min: 1, max: 3_000 }),
  monthly: fc.integer({ min: 1, max: 6_000 }),
  concurrent: fc.integer({ min: 1, max: 5 }),
});

type Ceilings = typeof ceilings extends fc.Arbitrary<infer Value> ? Value : never;

function limitsOf(of: Ceilings): readonly AppliedLimit[] {
  const perKey = limit("tokens-of-key", "tokens", "minute", of.tokens);
  return [
    limit("requests", "requests", "minute", of.requests),
    limit("tokens", "tokens", "minute", of.tokens, of.burst),
    limit("daily", "tokens", "day", of.daily),
    limit("monthly", "tokens", "month", of.monthly),
    limit("concurrent", "concurrent", "open", of.concurrent),
    apply({ ...perKey.setting, key: "each" }, "|key=k1"),
    limit("input", "input_tokens", "day", of.daily),
    limit("output", "output_tokens", "minute", of.tokens),
    limit("daily-elsewhere", "tokens", "day", of.daily),
    apply({ ...limit("shadow", "tokens", "day", of.tokens).setting, shadow: true }),
  ];
}

/** Its summer time ends within a week of the world's beginning, so a day of 25 hours is among those that pass. */
const elsewhere = "Australia/Sydney";
const zoneOf = ({ setting }: AppliedLimit): string => (setting.name === "daily-elsewhere" ? elsewhere : "UTC");

/** As a gateway sends them: with the periods around its own clock, which is minutes off. */
function sent(limits: readonly AppliedLimit[], nowMs: number): AppliedLimit[] {
  return limits.map((one) => ({ ...one, periods: periodsOf(one.setting, zoneOf(one), nowMs - gatewayBehindMs) }));
}

const gatewayBehindMs = 7 * 60_000;

/** Properties that hold for any limits, times and orders. `runs` is bounded: each opens real stores. */
export function quotaProperties(name: string, openWorld: OpenStoreWorld, runs: number): void {
  describe(`quota properties: ${name}`, () => {
    it("agrees with a naive account of the whole history, whatever happens, restarts included", { timeout: 60_000 }, async () => {
      const agrees = fc.asyncProperty(ceilings, fc.array(step, { maxLength: 40 }), (of, steps) =>
        withWorld(openWorld, (world) => followNaively(world, limitsOf(of), steps)),
      );
      await expect(fc.assert(agrees, { numRuns: runs })).resolves.toBeUndefined();
    });

    it("never exceeds a limit and settles once, however calls interleave and clocks jump", { timeout: 60_000 }, async () => {
      const jump = fc.oneof(pause, fc.constantFrom(-1, -5_000, -86_400_000));
      const turn = fc.record({ steps: fc.array(fc.oneof(reserveStep, settleStep), { maxLength: 8 }), byMs: jump });
      const bounded = fc.asyncProperty(ceilings, fc.array(turn, { maxLength: 10 }), (of, turns) =>
        withWorld(openWorld, (world) => boundTurns(world, limitsOf(of), turns)),
      );
      await expect(fc.assert(bounded, { numRuns: runs })).resolves.toBeUndefined();
    });
  });
}

async function followNaively(world: StoreWorld, limits: readonly AppliedLimit[], steps: readonly Step[]): Promise<void> {
  const naive = new NaiveQuota(world.nowMs(), zoneOf);
  for (const [serial, one] of steps.entries()) {
    const [actual, expected] = await takeStep(world, naive, limits, one, `r${serial}`);
    expect(actual).toEqual(expected);
    const states = await world.quota.inspect("acme", sent(limits, world.nowMs()));
    expect(states.map((state) => state.remaining)).toEqual(limits.map((each) => naive.remaining(each)));
    expectWithin(states);
  }
}

/** Does one step to the store and to the naive account; returns what each of them says. */
async function takeStep(
  world: StoreWorld,
  naive: NaiveQuota,
  limits: readonly AppliedLimit[],
  one: Step,
  id: string,
): Promise<[actual: unknown, expected: unknown]> {
  if (one.do === "reserve") {
    const applied = limits.filter((_, index) => (one.mask & (1 << index)) !== 0);
    const wouldRefuse = applied
      .filter((each) => each.setting.shadow === true && one.tokens > Math.max(0, naive.remaining(each)))
      .map((each) => each.setting.name);
    const outcome = await world.quota.reserve(reservation(id, sent(applied, world.nowMs()), amounts(one.tokens), { leaseMs }));
    const admitted = naive.reserve(id, applied, one.tokens, leaseMs);
    const remaining = applied.map((each) => naive.remaining(each));
    const shadowed = outcome.shadowed.map((state) => state.limit.setting.name);
    return [
      [outcome.admitted, outcome.states.map((state) => state.remaining), shadowed],
      [admitted, remaining, wouldRefuse],
    ];
  }
  if (one.do === "expire") return [ids(await world.quota.expire(1_000)), naive.expire().sort()];
  if (one.do === "restart") return [await world.restart(), undefined];
  if (one.do === "advance") return [await world.advance(one.byMs), naive.advance(one.byMs)];
  const picked = naive.reservations[one.pick % Math.max(1, naive.reservations.length)];
  if (picked === undefined) return [undefined, undefined];
  if (one.do === "renew") return [await world.quota.renew("acme", [picked.id], leaseMs), naive.renew(picked.id, leaseMs)];
  const charge = Math.floor((picked.tokens * one.percent) / 100);
  return [
    await world.quota.settle({ id: picked.id, tenantId: "acme", charge: amounts(charge) }),
    naive.settle(picked.id, charge),
  ];
}

function ids(expired: readonly { readonly id: string }[]): string[] {
  return expired.map((one) => one.id).sort();
}

interface Turn {
  readonly steps: readonly Extract<Step, { do: "reserve" | "settle" }>[];
  readonly byMs: number;
}

/** Bounds that need no model: what was ever admitted, against what the time that passed can have let in. */
async function boundTurns(world: StoreWorld, limits: readonly AppliedLimit[], turns: readonly Turn[]): Promise<void> {
  const holds = new Map<string, number>();
  const settledOnce = new Map<string, number>();
  let serial = 0;
  let latestMs = worldBeginsMs;
  for (const { steps, byMs } of turns) {
    // All of a turn's calls are under way at once.
    await Promise.all(
      steps.map(async (one) => {
        if (one.do === "reserve") {
          const id = `r${serial++}`;
          const outcome = await world.quota.reserve(
            reservation(id, sent(limits, world.nowMs()), amounts(one.tokens), { leaseMs: 1e9 }),
          );
          if (outcome.admitted) holds.set(id, one.tokens);
        } else {
          const id = [...holds.keys()][one.pick % Math.max(1, holds.size)];
          if (id === undefined) return;
          // Charged in full, so that what was admitted is what was used.
          const took = await world.quota.settle({ id, tenantId: "acme", charge: amounts(holds.get(id) ?? 0) });
          if (took) settledOnce.set(id, (settledOnce.get(id) ?? 0) + 1);
        }
      }),
    );
    expectWithin(await world.quota.inspect("acme", sent(limits, world.nowMs())));
    expect([...settledOnce.values()].every((times) => times === 1)).toBe(true);
    const admittedAmounts = [...holds.values()].map((tokens) => amounts(tokens));
    const elapsedMs = latestMs - worldBeginsMs;
    for (const { setting } of limits) {
      const asked = admittedAmounts.reduce((sum, each) => sum + amountOf(setting.unit, each), 0);
      const admitted = setting.window === "open" ? holds.size - settledOnce.size : asked;
      expect(admitted).toBeLessThanOrEqual(mostAdmitted(setting, elapsedMs));
    }
    await world.advance(byMs);
    latestMs = Math.max(latestMs, world.nowMs());
  }
}

/** Used plus held is never above a limit that is enforced. */
function expectWithin(states: readonly LimitState[]): void {
  for (const state of states) if (state.limit.setting.shadow !== true) expect(state.remaining).toBeGreaterThanOrEqual(0);
}

/** What a limit can have let in since the world began; calendar windows are left to the naive account. */
function mostAdmitted(setting: LimitSetting, elapsedMs: number): number {
  if (setting.window === "minute") return (setting.burst ?? setting.ceiling) + Math.ceil((setting.ceiling * elapsedMs) / 60_000);
  return setting.window === "open" ? setting.ceiling : Number.POSITIVE_INFINITY;
}

async function withWorld(openWorld: OpenStoreWorld, work: (world: StoreWorld) => Promise<void>): Promise<void> {
  const world = await openWorld();
  try {
    await work(world);
  } finally {
    await world.close();
  }
}
