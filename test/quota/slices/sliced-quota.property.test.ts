import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sweepExpired } from "../../../src/ledger/sweep.ts";
import { amountOf } from "../../../src/quota/counter.ts";
import type { Amounts } from "../../../src/quota/limit.ts";
import { StoreUnavailable } from "../../../src/quota/store.ts";
import type { LimitSetting } from "../../../src/tenant/limit-setting.ts";
import { amounts, limit } from "../../stores/samples.ts";
import { SliceWorld, type Link } from "./slice-world.ts";

const count = 3;
const storeAheadMs = 4 * 60_000;
const nothing: Amounts = amounts(0);

interface Request {
  readonly id: string;
  readonly replica: number;
  readonly tokens: number;
  readonly atMs: number;
  readonly day: number;
  /** `undefined` while it is open. */
  used: number | undefined;
  /** Its replica died, so that nobody settles it. */
  lost: boolean;
  /** Whether the store took the settlement is not known. */
  unheard: boolean;
}

const replica = fc.nat(count - 1);
const link = fc.constantFrom<Link[]>("up", "up", "away", "mute");
const passing = fc.constantFrom(0, 0, 10, 100, 260, 1_000, 2_500, 11_000, 70_000);
const step = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant("send" as const),
      replica,
      requests: fc.integer({ min: 1, max: 30 }),
      tokens: fc.nat(30),
    }),
  },
  { weight: 7, arbitrary: fc.record({ do: fc.constant("settle" as const), share: fc.nat(100), percent: fc.nat(100) }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: passing }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("link" as const), replica, link }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), replica }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

const ceilings = fc.record({
  requests: fc.integer({ min: 20, max: 2_000 }),
  tokens: fc.integer({ min: 100, max: 5_000 }),
  daily: fc.integer({ min: 500, max: 20_000 }),
  concurrent: fc.integer({ min: 10, max: 400 }),
  lasting: fc.boolean(),
});

function settingsOf(of: typeof ceilings extends fc.Arbitrary<infer Value> ? Value : never): LimitSetting[] {
  return [
    limit("requests", "requests", "minute", of.requests),
    limit("tokens", "tokens", "minute", of.tokens, 2 * of.tokens),
    limit("daily", "tokens", "day", of.daily),
    limit("concurrent", "concurrent", "open", of.concurrent),
  ].map(({ setting }) => ({ ...setting, slices: true, ...(of.lasting ? { onOutage: "allow-local" as const } : {}) }));
}

/** What happened, kept by the test itself. */
class Story {
  readonly world = new SliceWorld(count, storeAheadMs);
  readonly requests: Request[] = [];
  readonly began: number;
  readonly #settings: readonly LimitSetting[];
  #serial = 0;

  constructor(settings: readonly LimitSetting[]) {
    this.#settings = settings;
    this.began = this.world.clock.nowMs();
  }

  async take(one: Step): Promise<void> {
    if (one.do === "pass") return this.world.pass(one.ms);
    if (one.do === "link") return void (this.world.replica(one.replica).link = one.link);
    if (one.do === "send") {
      await Promise.all(Array.from({ length: one.requests }, () => this.#send(one.replica, one.tokens)));
      return;
    }
    if (one.do === "crash") {
      for (const request of this.#open()) if (request.replica === one.replica) request.lost = true;
      return this.world.crash(one.replica);
    }
    const open = this.#open();
    const some = open.slice(0, Math.ceil((open.length * one.share) / 100));
    await Promise.all(some.map((request) => this.#settle(request, Math.floor((request.tokens * one.percent) / 100))));
  }

  /** What was ever admitted is within what the time that passed can have let in. */
  check(): void {
    const nowMs = this.world.clock.nowMs();
    for (const setting of this.#settings) {
      const { unit, window } = setting;
      const counted = this.requests.filter((request) => {
        if (window === "day") return request.day === this.#day();
        // The store gives the slots of those back that it did not hear of for a lease.
        return window === "minute" || (request.used === undefined && nowMs - request.atMs < 8_000);
      });
      const sum = counted.reduce((total, { used, tokens }) => total + amountOf(unit, amounts(used ?? tokens)), 0);
      const refilled = window === "minute" ? Math.ceil((setting.ceiling * (nowMs - this.began)) / 60_000) : 0;
      expect(sum, setting.name).toBeLessThanOrEqual((setting.burst ?? setting.ceiling) + refilled);
    }
  }

  /** All is settled or died, everybody reaches the store: then nothing is held, and each request has its record. */
  async end(): Promise<void> {
    for (const one of this.world.replicas) one.link = "up";
    for (const request of this.#open()) await this.#settle(request, request.tokens);
    await this.world.pass(5_000);
    const written: string[] = [];
    const journal = {
      append: async ({ requestId }: { requestId: string }) => void written.push(requestId),
      find: async () => undefined,
      list: async () => [],
      findResponse: async () => undefined,
    };
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    for (let sweep = 0; sweep < 3; sweep++) {
      await this.world.pass(65_000);
      for (const { quota } of this.world.replicas) await sweepExpired(quota, journal, log);
    }
    const settled = this.requests.filter(({ used, unheard }) => used !== undefined && !unheard);
    for (const { id, replica: index } of settled) expect(await this.world.settle(index, id, nothing)).toBe(false);
    expect(new Set(written).size).toBe(written.length);
    // Those whose admission was not heard of are written as well: they may have cost something.
    const lost = this.requests.filter((request) => request.lost).map(({ id }) => id);
    expect(written).toEqual(expect.arrayContaining(lost));
    for (const { id } of settled) expect(written).not.toContain(id);
    const open = await this.world.remaining(this.#settings.filter(({ window }) => window === "open"));
    expect(open).toEqual(this.#settings.filter(({ window }) => window === "open").map(({ ceiling }) => ceiling));
  }

  /** Nobody died and no answer was lost: a day's counter is what was charged, to the unit. */
  async expectExact(): Promise<void> {
    const [daily] = this.#settings.filter(({ window }) => window === "day");
    const today = this.requests.filter(({ day }) => day === this.#day());
    const [remaining] = await this.world.remaining(daily === undefined ? [] : [daily]);
    expect(remaining).toBe((daily?.ceiling ?? 0) - today.reduce((sum, { used }) => sum + (used ?? 0), 0));
  }

  #open(): Request[] {
    return this.requests.filter((request) => request.used === undefined && !request.lost);
  }

  async #send(index: number, tokens: number): Promise<void> {
    const id = `r${String(this.#serial++).padStart(5, "0")}`;
    const day = this.#day();
    try {
      const outcome = await this.world.reserve(index, id, this.#settings, amounts(tokens));
      const atMs = this.world.clock.nowMs();
      if (outcome.admitted)
        this.requests.push({ id, replica: index, tokens, atMs, day, used: undefined, lost: false, unheard: false });
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable);
    }
  }

  async #settle(request: Request, used: number): Promise<void> {
    try {
      await this.world.settle(request.replica, request.id, amounts(used));
      request.used = used;
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailable);
      // As a gateway does whose store is away when its request ends: it is left to its lease.
      request.used = used;
      request.unheard = true;
    }
  }

  /** By the store's clock. */
  #day(): number {
    return Math.floor((this.world.clock.nowMs() + storeAheadMs) / 86_400_000);
  }
}

async function live(settings: readonly LimitSetting[], steps: readonly Step[], exactly: boolean): Promise<void> {
  const story = new Story(settings);
  try {
    for (const one of steps) {
      await story.take(one);
      story.check();
    }
    await story.end();
    story.check();
    if (exactly) await story.expectExact();
  } finally {
    story.world.close();
  }
}

describe("slices of limits, over several replicas", () => {
  it("never pass a limit, settle once and lose no record, whatever dies or is cut off when", { timeout: 120_000 }, async () => {
    const holds = fc.asyncProperty(ceilings, fc.array(step, { maxLength: 60, size: "max" }), (of, steps) =>
      live(settingsOf(of), steps, false),
    );
    await expect(fc.assert(holds, { numRuns: 150 })).resolves.toBeUndefined();
  });

  it("give every unit back that is not used, where nobody dies", { timeout: 120_000 }, async () => {
    const calm = step.filter((one) => one.do !== "crash" && one.do !== "link");
    const holds = fc.asyncProperty(ceilings, fc.array(calm, { maxLength: 60, size: "max" }), (of, steps) =>
      live(settingsOf(of), steps, true),
    );
    await expect(fc.assert(holds, { numRuns: 150 })).resolves.toBeUndefined();
  });
});
