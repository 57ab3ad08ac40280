import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { amountOf } from "../../../src/quota/counter.ts";
import type { LimitSetting } from "../../../src/tenant/limit-setting.ts";
import { amounts, limit } from "../../stores/samples.ts";
import { SliceStory, type Step } from "./slice-story.ts";
import type { Link } from "./slice-world.ts";

const replicas = 3;
/** A slice lasts longer than this wherever it is from, and so does a reservation of its own. */
const surelyHeldMs = 8_000;

const replica = fc.nat(replicas - 1);
const sending: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("send" as const),
  replica,
  requests: fc.integer({ min: 1, max: 30 }),
  tokens: fc.nat(30),
});
const settling: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("settle" as const),
  share: fc.nat(100),
  percent: fc.nat(100),
});
const passing: fc.Arbitrary<Step> = fc.record({
  do: fc.constant("pass" as const),
  ms: fc.constantFrom(0, 0, 10, 100, 260, 1_000, 2_500, 11_000, 70_000),
});
const link = fc.constantFrom<Link[]>("up", "up", "away", "mute");
const linking: fc.Arbitrary<Step> = fc.record({ do: fc.constant("link" as const), replica, link });
const crashing: fc.Arbitrary<Step> = fc.record({ do: fc.constant("crash" as const), replica });

const calm = [
  { weight: 9, arbitrary: sending },
  { weight: 7, arbitrary: settling },
  { weight: 7, arbitrary: passing },
];
const rough = [...calm, { weight: 2, arbitrary: linking }, { weight: 1, arbitrary: crashing }];
const stepsOf = (steps: typeof calm): fc.Arbitrary<Step[]> => fc.array(fc.oneof(...steps), { maxLength: 60, size: "max" });

const limits: fc.Arbitrary<LimitSetting[]> = fc
  .record({
    requests: fc.integer({ min: 20, max: 2_000 }),
    tokens: fc.integer({ min: 100, max: 5_000 }),
    daily: fc.integer({ min: 500, max: 20_000 }),
    concurrent: fc.integer({ min: 10, max: 400 }),
    lasting: fc.boolean(),
  })
  .map((of) =>
    [
      limit("requests", "requests", "minute", of.requests),
      limit("tokens", "tokens", "minute", of.tokens, 2 * of.tokens),
      limit("daily", "tokens", "day", of.daily),
      limit("concurrent", "concurrent", "open", of.concurrent),
    ].map(({ setting }) => ({ ...setting, slices: true, ...(of.lasting ? { onOutage: "allow-local" as const } : {}) })),
  );

/** What was ever admitted is within what the time that passed can have let in. */
function expectWithin(story: SliceStory, settings: readonly LimitSetting[]): void {
  const nowMs = story.world.clock.nowMs();
  for (const setting of settings) {
    const { unit, window } = setting;
    const counted = story.requests.filter(({ day, used, atMs }) => {
      if (window === "day") return day === story.day;
      return window === "minute" || (used === undefined && nowMs - atMs < surelyHeldMs);
    });
    const sum = counted.reduce((total, { used, tokens }) => total + amountOf(unit, amounts(used ?? tokens)), 0);
    const refilled = window === "minute" ? Math.ceil((setting.ceiling * (nowMs - story.beganAtMs)) / 60_000) : 0;
    expect(sum).toBeLessThanOrEqual((setting.burst ?? setting.ceiling) + refilled);
  }
}

/** Nothing is held, each request that was lost has its record, once, and what was settled is settled. */
async function expectEnded(story: SliceStory, settings: readonly LimitSetting[]): Promise<void> {
  const written = await story.end();
  expect(new Set(written).size).toBe(written.length);
  // Those whose admission was not heard of are written as well: they may have cost something.
  expect(written).toEqual(expect.arrayContaining(story.requests.filter(({ lost }) => lost).map(({ id }) => id)));
  for (const { id, replica: at } of story.requests.filter(({ used, unheard }) => used !== undefined && !unheard)) {
    expect(written).not.toContain(id);
    expect(await story.world.settle(at, id, amounts(0))).toBe(false);
  }
  const open = settings.filter(({ window }) => window === "open");
  expect(await story.world.remaining(open)).toEqual(open.map(({ ceiling }) => ceiling));
}

/** A day's counter is what was charged, to the unit. */
async function expectExact(story: SliceStory, settings: readonly LimitSetting[]): Promise<void> {
  const daily = settings.filter(({ window }) => window === "day");
  const used = story.requests.filter(({ day }) => day === story.day).reduce((sum, request) => sum + (request.used ?? 0), 0);
  expect(await story.world.remaining(daily)).toEqual(daily.map(({ ceiling }) => ceiling - used));
}

async function live(settings: readonly LimitSetting[], steps: readonly Step[], exactly: boolean): Promise<void> {
  const story = new SliceStory(settings, replicas);
  try {
    for (const one of steps) {
      await story.take(one);
      expectWithin(story, settings);
    }
    await expectEnded(story, settings);
    if (exactly) await expectExact(story, settings);
  } finally {
    story.world.close();
  }
}

describe("slices of limits, over several replicas", () => {
  it("never pass a limit, settle once and lose no record, whatever dies or is cut off when", { timeout: 120_000 }, async () => {
    const holds = fc.asyncProperty(limits, stepsOf(rough), (settings, steps) => live(settings, steps, false));
    await expect(fc.assert(holds, { numRuns: 120 })).resolves.toBeUndefined();
  });

  it("give every unit back that is not used, where nobody dies", { timeout: 120_000 }, async () => {
    const holds = fc.asyncProperty(limits, stepsOf(calm), (settings, steps) => live(settings, steps, true));
    await expect(fc.assert(holds, { numRuns: 80 })).resolves.toBeUndefined();
  });
});
