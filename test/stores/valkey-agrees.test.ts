import * as fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { AppliedLimit } from "../../src/quota/limit.ts";
import type { QuotaStore } from "../../src/quota/store.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { describeOnValkey, ValkeyServer } from "../support/valkey-server.ts";
import { amounts, apply, reservation } from "./samples.ts";
import { sqliteWorld } from "./sqlite-world.ts";
import { valkeyWorld } from "./valkey-world.ts";

const most = Number.MAX_SAFE_INTEGER;
// From what is counted in a test to where a double stops being exact.
const size = fc.oneof(
  fc.nat(100),
  fc.nat(1_000_000),
  fc.integer({ min: 0, max: 150_119_987_579 }),
  fc.constantFrom(1, 59_999, 60_001),
);
// Mostly large, so that much is admitted, and settled later.
const ceiling = fc.oneof(
  { weight: 1, arbitrary: size },
  { weight: 4, arbitrary: fc.integer({ min: 1_000_000, max: 150_119_987_579 }) },
);
const jumpMs = fc.oneof(fc.nat(200), fc.nat(100_000), fc.constantFrom(3_600_000, 86_400_000, 86_400_000 * 40));

const windows: readonly (readonly [LimitSetting["unit"], LimitSetting["window"]])[] = [
  ["requests", "minute"],
  ["tokens", "minute"],
  ["input_tokens", "day"],
  ["micro_usd", "month"],
  ["requests", "day"],
  ["output_tokens", "minute"],
  ["concurrent", "open"],
];

const setting = fc
  .record({
    kind: fc.nat(windows.length - 1),
    ceiling,
    burst: fc.option(ceiling, { nil: undefined }),
    shadow: fc.constantFrom(true, undefined, undefined),
  })
  .map(({ kind, ceiling: most_, burst, shadow }) => {
    const [unit, window] = windows[kind] ?? ["requests", "minute"];
    return {
      name: "n",
      unit,
      window,
      ceiling: most_,
      burst: window === "minute" ? burst : undefined,
      key: undefined,
      model: undefined,
      shadow,
    };
  });

/** How many requests a slice is for, or holds on; `undefined` for a request of its own. */
const many = fc.option(fc.nat(1_000), { nil: undefined });

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("reserve" as const), tokens: size, microUsd: size, mask: fc.nat(255), many }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("settle" as const), pick: fc.nat(20), tokens: size, microUsd: size, rest: many }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("advance" as const), byMs: jumpMs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("expire" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lower" as const), index: fc.nat(7), ceiling }) },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** What one step makes a store say, all of it. */
async function take(
  quota: QuotaStore,
  limits: readonly AppliedLimit[],
  one: Step,
  id: string,
  restId: string,
  nowMs: number,
): Promise<unknown> {
  const timely = limits.map((limit) =>
    apply(limit.setting, limit.counter.slice(limit.setting.name.length), "Europe/Paris", nowMs),
  );
  if (one.do === "reserve") {
    const chosen = timely.filter((_, index) => (one.mask & (1 << index)) !== 0);
    const hold = amounts(one.tokens, one.microUsd);
    if (one.many === undefined) return quota.reserve(reservation(id, chosen, hold, { leaseMs: 30_000 }));
    const slice = { ...hold, requests: one.many, concurrent: one.many };
    return quota.reserve(reservation(id, chosen, slice, { leaseMs: 30_000, slice: true }));
  }
  if (one.do === "settle") {
    const charge = amounts(one.tokens, one.microUsd);
    if (one.rest === undefined) return quota.settle({ id, tenantId: "acme", charge });
    const hold = { ...amounts(one.tokens, one.microUsd), requests: one.rest, concurrent: one.rest };
    return quota.settle({ id, tenantId: "acme", charge, rest: { id: restId, hold, leaseMs: 30_000 } });
  }
  if (one.do === "expire") return [...(await quota.expire(100))].sort((left, right) => (left.id < right.id ? -1 : 1));
  return quota.inspect("acme", timely);
}

describeOnValkey("the function on Valkey", () => {
  let server: ValkeyServer;
  beforeAll(async () => {
    server = await ValkeyServer.start();
  }, 20_000);
  afterAll(() => server.stop());

  it("says to the last digit what SQLite says, with numbers up to 2^53", { timeout: 60_000 }, async () => {
    const agrees = fc.asyncProperty(
      fc.array(setting, { minLength: 1, maxLength: 7 }),
      fc.array(step, { maxLength: 40, size: "max" }),
      async (settings, steps) => {
        const limits = settings.map((one, index) => apply({ ...one, name: `limit-${index}` }, index % 3 === 0 ? "|user=u1" : ""));
        const worlds = [sqliteWorld(1), await valkeyWorld(server, 1)] as const;
        const reserved: number[] = [];
        try {
          for (const [serial, one] of steps.entries()) {
            if (one.do === "advance") for (const world of worlds) await world.advance(one.byMs);
            const changed = limits[one.do === "lower" ? one.index : most];
            if (one.do === "lower" && changed !== undefined)
              limits[one.index] = { ...changed, setting: { ...changed.setting, ceiling: one.ceiling } };
            const id = `r${one.do === "settle" ? (reserved[one.pick % Math.max(1, reserved.length)] ?? 0) : serial}`;
            if (one.do === "reserve" || (one.do === "settle" && one.rest !== undefined)) reserved.push(serial);
            const nowMs = worlds[0].nowMs();
            const [wanted, said] = [
              await take(worlds[0].quota, limits, one, id, `r${serial}`, nowMs),
              await take(worlds[1].quota, limits, one, id, `r${serial}`, nowMs),
            ];
            expect(said).toEqual(wanted);
          }
        } finally {
          for (const world of worlds) await world.close();
        }
      },
    );
    await expect(fc.assert(agrees, { numRuns: 100 })).resolves.toBeUndefined();
  });
});
