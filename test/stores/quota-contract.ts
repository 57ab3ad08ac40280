import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AppliedLimit } from "../../src/quota/limit.ts";
import type { LimitState, ReserveOutcome } from "../../src/quota/store.ts";
import { amounts, apply, limit, reservation } from "./samples.ts";
import type { OpenStoreWorld, StoreWorld } from "./store-world.ts";

const requestsAMinute = limit("requests", "requests", "minute", 60);
const tokensAMinute = limit("tokens", "tokens", "minute", 600, 1_000);
const tokensADay = limit("daily", "tokens", "day", 1_000);
const spendAMonth = limit("spend", "micro_usd", "month", 5_000);
const concurrent = limit("concurrent", "concurrent", "open", 2);

/** What every quota store does. Runs against each adapter; imports nothing of a runtime. */
export function quotaContract(name: string, openWorld: OpenStoreWorld): void {
  describe(`quota store: ${name}`, () => {
    let world: StoreWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    const reserve = (id: string, limits: readonly AppliedLimit[], tokens: number, microUsd = 0): Promise<ReserveOutcome> =>
      world.quota.reserve(reservation(id, limits, amounts(tokens, microUsd)));
    const settle = (id: string, tokens: number, microUsd = 0): Promise<boolean> =>
      world.quota.settle({ id, tenantId: "acme", charge: amounts(tokens, microUsd) });
    const remaining = async (of: AppliedLimit): Promise<number> => only(await world.quota.inspect("acme", [of])).remaining;

    describe("admission", () => {
      it("admits what fits and tells how every limit stands after it, in the order asked", async () => {
        const outcome = await reserve("a", [requestsAMinute, tokensAMinute, concurrent], 400);
        expect(outcome.admitted).toBe(true);
        expect(outcome.states.map((state) => [state.limit.counter, state.capacity, state.remaining])).toEqual([
          ["requests", 60, 59],
          ["tokens", 1_000, 600],
          ["concurrent", 2, 1],
        ]);
      });

      it("takes nothing from any limit when one of them refuses", async () => {
        const outcome = await reserve(
          "a",
          [requestsAMinute, tokensAMinute, tokensADay, concurrent, limit("small", "tokens", "day", 10)],
          400,
        );
        expect(outcome.admitted).toBe(false);
        const states = await world.quota.inspect("acme", [requestsAMinute, tokensAMinute, tokensADay, concurrent]);
        expect(states.map((state) => state.remaining)).toEqual([60, 1_000, 1_000, 2]);
        expect(await settle("a", 0)).toBe(false);
      });

      it("never admits more than fits, however many ask at once", async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 30 }, (_, index) => reserve(`r${index}`, [tokensADay, tokensAMinute], 90)),
        );
        expect(outcomes.filter((outcome) => outcome.admitted)).toHaveLength(11);
        expect(await remaining(tokensADay)).toBe(10);
        expect(await remaining(tokensAMinute)).toBe(10);
      });

      it("names the limit that takes longest to fit when several bind", async () => {
        await reserve("a", [tokensAMinute, tokensADay], 900);
        await settle("a", 900);
        const outcome = refused(await reserve("b", [tokensAMinute, tokensADay], 200));
        expect(outcome.binding.limit.counter).toBe("daily");
        expect(outcome.asked).toBe(200);
        expect(outcome.binding.remaining).toBe(100);
        expect(outcome.retryAfterMs).toBe(60_000);
      });

      it("says that a request larger than a limit never fits, even before one that takes long", async () => {
        await reserve("a", [tokensADay], 1_000);
        const outcome = refused(await reserve("b", [tokensADay, limit("small", "micro_usd", "month", 5)], 1, 6));
        expect(outcome.neverFits).toBe(true);
        expect(outcome.binding.limit.counter).toBe("small");
        expect(outcome.retryAfterMs).toBe(0);
      });

      it("counts each tenant, and each counter of one setting, apart", async () => {
        const ofKey = (key: string): AppliedLimit => apply({ ...tokensADay.setting, key: "each" }, `|key=${key}`);
        await reserve("a", [ofKey("k1")], 1_000);
        expect(refused(await reserve("b", [ofKey("k1")], 1)).binding.remaining).toBe(0);
        expect((await reserve("c", [ofKey("k2")], 1_000)).admitted).toBe(true);
        expect((await world.quota.reserve(reservation("d", [ofKey("k1")], amounts(1_000), { tenantId: "other" }))).admitted).toBe(
          true,
        );
      });

      it("judges what was already used by a ceiling that was changed since", async () => {
        await reserve("a", [tokensADay], 800);
        const lowered = { ...tokensADay, setting: { ...tokensADay.setting, ceiling: 500 } };
        expect(refused(await reserve("b", [lowered], 1)).binding.remaining).toBe(-300);
        const raised = { ...tokensADay, setting: { ...tokensADay.setting, ceiling: 2_000 } };
        expect(only((await reserve("c", [raised], 1_000)).states).remaining).toBe(200);
      });

      it("refuses amounts that are no counts, and goes on with the rest of the same moment", async () => {
        const outcomes = await Promise.allSettled([
          reserve("a", [tokensADay], 100),
          reserve("b", [tokensADay], 0.5),
          reserve("c", [tokensADay], -1),
          reserve("d", [tokensADay], 200),
        ]);
        expect(outcomes.map((outcome) => outcome.status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
        expect(await remaining(tokensADay)).toBe(700);
      });

      it("holds nothing twice for an id that is already open", async () => {
        await reserve("a", [tokensADay], 100);
        await expect(reserve("a", [tokensADay], 100)).rejects.toBeInstanceOf(Error);
        expect(await remaining(tokensADay)).toBe(900);
      });
    });

    describe("a bucket", () => {
      it("refills evenly and admits at the millisecond that it named", async () => {
        await reserve("a", [tokensAMinute], 1_000);
        await settle("a", 1_000);
        const { retryAfterMs } = refused(await reserve("b", [tokensAMinute], 100));
        expect(retryAfterMs).toBe(10_000);
        await world.advance(retryAfterMs - 1);
        expect((await reserve("c", [tokensAMinute], 100)).admitted).toBe(false);
        await world.advance(1);
        expect((await reserve("d", [tokensAMinute], 100)).admitted).toBe(true);
      });

      it("does not refill what is held by an open request", async () => {
        await reserve("a", [tokensAMinute], 1_000);
        await world.advance(600_000);
        const outcome = refused(await reserve("b", [tokensAMinute], 1));
        expect(outcome.retryAfterMs).toBeGreaterThanOrEqual(1_000);
        expect(outcome.neverFits).toBe(false);
      });

      it("is charged when it is settled, for what was used", async () => {
        await reserve("a", [tokensAMinute], 1_000);
        await world.advance(600_000);
        await settle("a", 300);
        const state = only(await world.quota.inspect("acme", [tokensAMinute]));
        expect(state.remaining).toBe(700);
        expect(state.resetMs).toBe(30_000);
      });

      it("gains nothing from a clock that goes back", async () => {
        await reserve("a", [tokensAMinute], 1_000);
        await settle("a", 1_000);
        await world.advance(-3_600_000);
        expect(await remaining(tokensAMinute)).toBe(0);
        await world.advance(3_600_000);
        expect(await remaining(tokensAMinute)).toBe(0);
        await world.advance(10_000);
        expect(await remaining(tokensAMinute)).toBe(100);
      });

      it("never hands back a request that was counted", async () => {
        await reserve("a", [requestsAMinute], 0);
        await world.quota.settle({ id: "a", tenantId: "acme", charge: { ...amounts(0), requests: 0 } });
        expect(await remaining(requestsAMinute)).toBe(59);
      });
    });

    describe("a calendar window", () => {
      it("begins anew at the boundary of the UTC day and month, and not a millisecond sooner", async () => {
        await reserve("a", [tokensADay, spendAMonth], 1_000, 5_000);
        await settle("a", 1_000, 5_000);
        await world.advance(59_999);
        expect(refused(await reserve("b", [tokensADay, spendAMonth], 1, 1)).retryAfterMs).toBe(1);
        await world.advance(1);
        expect((await reserve("c", [tokensADay, spendAMonth], 1_000, 5_000)).admitted).toBe(true);
      });

      it("charges a request to the period that admitted it, whenever it settles", async () => {
        await reserve("a", [tokensADay], 1_000);
        await world.advance(60_000);
        expect((await reserve("b", [tokensADay], 600)).admitted).toBe(true);
        expect(await settle("a", 1_000)).toBe(true);
        expect(await remaining(tokensADay)).toBe(400);
        expect(await settle("b", 100)).toBe(true);
        expect(await remaining(tokensADay)).toBe(900);
      });

      it("stays in the later period when the clock goes back", async () => {
        await world.advance(60_000);
        await reserve("a", [tokensADay], 1_000);
        await world.advance(-60_000);
        expect((await reserve("b", [tokensADay], 1)).admitted).toBe(false);
      });
    });

    describe("a calendar window in a time zone", () => {
      const daily = (nowMs: number): AppliedLimit => apply(tokensADay.setting, "", "Australia/Sydney", nowMs);
      const moveTo = (time: string): void | Promise<void> => world.advance(Date.parse(time) - world.nowMs());

      it.each([
        ["25 hours, in which summer time ends", "2026-04-04T13:00:00Z", 25],
        ["24 hours", "2026-04-05T14:00:00Z", 24],
        ["23 hours, in which summer time begins", "2026-10-03T14:00:00Z", 23],
      ])("lasts a day of %s", async (_, begins, hours) => {
        await moveTo(begins);
        const startMs = world.nowMs();
        await world.advance(-1);
        await reserve("yesterday", [daily(startMs)], 1_000);
        await world.advance(1);
        expect((await reserve("a", [daily(startMs)], 1_000)).admitted).toBe(true);
        await settle("a", 1_000);
        await world.advance(hours * 3_600_000 - 1);
        expect(refused(await reserve("b", [daily(startMs)], 1)).retryAfterMs).toBe(1);
        await world.advance(1);
        expect((await reserve("c", [daily(startMs)], 1_000)).admitted).toBe(true);
      });

      it.each([-600_000, 600_000])(
        "is the one of the store's clock, where the gateway's is %i ms away from it",
        async (skewMs) => {
          await moveTo("2026-04-04T13:00:00Z");
          const startMs = world.nowMs();
          await world.advance(-1);
          expect((await reserve("a", [daily(startMs + skewMs)], 1_000)).admitted).toBe(true);
          await settle("a", 1_000);
          expect(refused(await reserve("c", [daily(startMs - skewMs)], 1)).retryAfterMs).toBe(1);
          await world.advance(1);
          expect((await reserve("d", [daily(startMs + skewMs)], 1_000)).admitted).toBe(true);
        },
      );

      it("takes a new zone's date when it comes, and hands out nothing for one that is already over", async () => {
        const tokyo = apply(tokensADay.setting, "", "Asia/Tokyo", world.nowMs());
        const losAngeles = apply(tokensADay.setting, "", "America/Los_Angeles", world.nowMs());
        await reserve("a", [tokyo], 1_000);
        await settle("a", 1_000);
        expect((await reserve("b", [losAngeles], 1)).admitted).toBe(false);
        expect(await remaining(tokyo)).toBe(0);
      });
    });

    describe("input and output", () => {
      it("are counted apart and together", async () => {
        const limits = [limit("in", "input_tokens", "day", 1_000), limit("out", "output_tokens", "day", 1_000), tokensADay];
        await world.quota.reserve(
          reservation("a", limits, { requests: 1, tokens: 700, inputTokens: 600, outputTokens: 100, microUsd: 0 }),
        );
        expect((await world.quota.inspect("acme", limits)).map((state) => state.remaining)).toEqual([400, 900, 300]);
        await world.quota.settle({
          id: "a",
          tenantId: "acme",
          charge: { requests: 0, tokens: 350, inputTokens: 50, outputTokens: 300, microUsd: 0 },
        });
        expect((await world.quota.inspect("acme", limits)).map((state) => state.remaining)).toEqual([950, 700, 650]);
      });

      it("come back as they were held when a lease runs out", async () => {
        const hold = { requests: 1, tokens: 700, inputTokens: 600, outputTokens: 100, microUsd: 3 };
        await world.quota.reserve(reservation("a", [tokensADay], hold, { leaseMs: 1_000 }));
        await world.advance(1_000);
        expect((await world.quota.expire(10)).map((one) => one.hold)).toEqual([hold]);
      });

      it("that do not come to the tokens are refused", async () => {
        const wrong = { requests: 1, tokens: 10, inputTokens: 4, outputTokens: 5, microUsd: 0 };
        await expect(world.quota.reserve(reservation("a", [tokensADay], wrong))).rejects.toBeInstanceOf(Error);
      });
    });

    describe("shadow mode", () => {
      const shadow = apply({ ...tokensADay.setting, name: "shadow", ceiling: 500, shadow: true });
      const counters = (states: readonly LimitState[]): string[] => states.map((state) => state.limit.counter);

      it("counts and reports, and refuses nothing", async () => {
        expect((await reserve("a", [tokensADay, shadow], 400)).shadowed).toEqual([]);
        const over = await reserve("b", [tokensADay, shadow], 101);
        expect(over.admitted).toBe(true);
        expect(counters(over.shadowed)).toEqual(["shadow"]);
        expect(over.states.map((state) => state.remaining)).toEqual([499, -1]);
        expect(counters((await reserve("larger than it could ever be", [tokensADay, shadow], 499)).shadowed)).toEqual(["shadow"]);
        await settle("b", 0);
        expect(await remaining(shadow)).toBe(500 - 400 - 499);
      });

      it("is not reported for a request that asks nothing of it", async () => {
        await reserve("a", [shadow], 600);
        expect((await reserve("b", [shadow], 0)).shadowed).toEqual([]);
      });

      it("never binds, however long it would take, and counts nothing where another limit refuses", async () => {
        await reserve("a", [concurrent, shadow], 500);
        await reserve("b", [concurrent, shadow], 0);
        const outcome = refused(await reserve("c", [shadow, concurrent], 501));
        expect(outcome.binding.limit.counter).toBe("concurrent");
        expect(outcome.neverFits).toBe(false);
        expect(counters(outcome.shadowed)).toEqual(["shadow"]);
        expect(await remaining(shadow)).toBe(0);
      });

      it("hands on what it counted when it is enforced", async () => {
        await reserve("a", [shadow], 450);
        const enforced = apply({ ...shadow.setting, shadow: false });
        expect(refused(await reserve("b", [enforced], 51)).binding.remaining).toBe(50);
      });
    });

    it("reports the limits that are nearly used up, admitted or not", async () => {
      const near = (outcome: ReserveOutcome): string[] => outcome.near.map((state) => state.limit.counter);
      expect(near(await reserve("a", [requestsAMinute, tokensADay], 799))).toEqual([]);
      expect(near(await reserve("b", [requestsAMinute, tokensADay], 1))).toEqual(["daily"]);
      expect(near(await reserve("c", [requestsAMinute, tokensADay], 500))).toEqual(["daily"]);
    });

    describe("settling", () => {
      it("gives back what was held and not used, and the slot of a concurrent request", async () => {
        await reserve("a", [tokensADay, concurrent, spendAMonth], 700, 4_000);
        expect(await settle("a", 200, 1_500)).toBe(true);
        const states = await world.quota.inspect("acme", [tokensADay, concurrent, spendAMonth]);
        expect(states.map((state) => state.remaining)).toEqual([800, 2, 3_500]);
      });

      it("takes effect once", async () => {
        await reserve("a", [tokensADay, concurrent], 700);
        const settled = await Promise.all([settle("a", 200), settle("a", 200), settle("a", 0)]);
        expect(settled.filter((took) => took)).toHaveLength(1);
        expect(await settle("a", 200)).toBe(false);
        expect(await remaining(concurrent)).toBe(2);
      });

      it("does nothing for an id that was never reserved, or is another tenant's", async () => {
        await reserve("a", [tokensADay], 700);
        expect(await settle("unknown", 5)).toBe(false);
        expect(await world.quota.settle({ id: "a", tenantId: "other", charge: amounts(0) })).toBe(false);
        expect(await remaining(tokensADay)).toBe(300);
      });

      it("charges more than was held where more was used", async () => {
        await reserve("a", [tokensADay], 900);
        await settle("a", 1_200);
        expect(await remaining(tokensADay)).toBe(-200);
        expect((await reserve("b", [tokensADay], 1)).admitted).toBe(false);
      });

      it("survives a restart between reserving and settling", async () => {
        await reserve("a", [tokensADay, tokensAMinute, concurrent], 700);
        await world.restart();
        expect(await remaining(tokensADay)).toBe(300);
        expect(await settle("a", 100)).toBe(true);
        await world.restart();
        expect(await remaining(tokensADay)).toBe(900);
        expect(await remaining(tokensAMinute)).toBe(900);
        expect(await remaining(concurrent)).toBe(2);
      });
    });

    describe("a lease", () => {
      const expiring = (id: string, hold = 500): Promise<ReserveOutcome> =>
        world.quota.reserve(reservation(id, [tokensADay, tokensAMinute, concurrent], amounts(hold, 7), { leaseMs: 10_000 }));

      it("that runs out gives the slot back and keeps what was held", async () => {
        await expiring("a");
        await world.advance(10_000);
        const expired = await world.quota.expire(10);
        expect(expired).toEqual([{ id: "a", tenantId: "acme", hold: amounts(500, 7), intent: '{"requestId":"a"}' }]);
        expect(await remaining(concurrent)).toBe(2);
        expect(await remaining(tokensADay)).toBe(500);
        expect(await remaining(tokensAMinute)).toBe(500);
      });

      it("does not run out a millisecond early, nor once it was renewed", async () => {
        await expiring("a");
        await world.advance(9_999);
        expect(await world.quota.expire(10)).toEqual([]);
        await world.quota.renew("acme", ["a", "unknown"], 10_000);
        await world.advance(9_999);
        expect(await world.quota.expire(10)).toEqual([]);
        await world.advance(1);
        expect(await world.quota.expire(10)).toHaveLength(1);
      });

      it("is not shortened by a renewal", async () => {
        await expiring("a");
        await world.quota.renew("acme", ["a"], 1);
        await world.advance(9_999);
        expect(await world.quota.expire(10)).toEqual([]);
      });

      it("that ran out is reported until it is recorded, and is taken back once", async () => {
        await expiring("a", 100);
        await expiring("b", 100);
        await world.advance(10_000);
        expect(await world.quota.expire(1)).toHaveLength(1);
        expect(ids(await world.quota.expire(10))).toEqual(["a", "b"]);
        expect(ids(await world.quota.expire(10))).toEqual(["a", "b"]);
        await world.quota.recorded("acme", ["a"]);
        expect(ids(await world.quota.expire(10))).toEqual(["b"]);
        expect(await remaining(tokensADay)).toBe(800);
        expect(await remaining(concurrent)).toBe(2);
      });

      it("that ran out is not brought back by a renewal", async () => {
        await expiring("a");
        await world.advance(10_000);
        await world.quota.expire(10);
        await world.quota.renew("acme", ["a"], 60_000);
        expect(ids(await world.quota.expire(10))).toEqual(["a"]);
      });

      it.each(["expired", "recorded"])("that ran out still lets a late settlement replace what was held (%s)", async (stage) => {
        await expiring("a");
        await world.advance(10_000);
        await world.quota.expire(10);
        if (stage === "recorded") await world.quota.recorded("acme", ["a"]);
        expect(await settle("a", 200)).toBe(true);
        expect(await settle("a", 200)).toBe(false);
        expect(await remaining(tokensADay)).toBe(800);
        expect(await remaining(concurrent)).toBe(2);
        expect(await world.quota.expire(10)).toEqual([]);
      });

      it("that ran out gives a bucket nothing back, since part of it may have leaked already", async () => {
        await expiring("a");
        await world.advance(10_000);
        await world.quota.expire(10);
        await world.advance(50_000);
        await reserve("b", [tokensAMinute], 1_000);
        await settle("a", 0);
        expect(await remaining(tokensAMinute)).toBe(0);
      });

      it("that ran out charges what was used beyond the hold when that is known at last", async () => {
        await expiring("a");
        await world.advance(10_000);
        await world.quota.expire(10);
        await settle("a", 600);
        expect(await remaining(tokensADay)).toBe(400);
        expect(await remaining(tokensAMinute)).toBe(400);
      });

      it("that ran out waits a day for a late settlement, not for ever", async () => {
        await expiring("a");
        await expiring("b");
        await world.advance(10_000);
        await world.quota.expire(10);
        await world.quota.recorded("acme", ["a", "b"]);
        await world.advance(23 * 3_600_000);
        await world.quota.expire(10);
        expect(await settle("a", 0)).toBe(true);
        await world.advance(2 * 3_600_000);
        await world.quota.expire(10);
        expect(await settle("b", 0)).toBe(false);
      });

      it("of a period that is over leaves the new one alone, late or not", async () => {
        await world.quota.reserve(reservation("a", [tokensADay], amounts(500), { leaseMs: 60_000 }));
        await world.advance(60_000);
        expect(await remaining(tokensADay)).toBe(1_000);
        expect(await world.quota.expire(10)).toHaveLength(1);
        expect(await remaining(tokensADay)).toBe(1_000);
        await settle("a", 100);
        expect(await remaining(tokensADay)).toBe(1_000);
      });
    });

    describe("inspecting", () => {
      it("shows a limit that nothing has counted on yet as whole", async () => {
        const states = await world.quota.inspect("acme", [requestsAMinute, tokensADay, concurrent]);
        expect(states.map((state) => [state.remaining, state.resetMs])).toEqual([
          [60, 0],
          [1_000, 0],
          [2, 0],
        ]);
      });

      it("admits nothing", async () => {
        await world.quota.inspect("acme", [concurrent, requestsAMinute]);
        await world.quota.inspect("acme", [concurrent, requestsAMinute]);
        expect(await remaining(concurrent)).toBe(2);
        expect(await remaining(requestsAMinute)).toBe(60);
      });
    });
  });
}

function ids(expired: readonly { readonly id: string }[]): string[] {
  return expired.map((one) => one.id).sort();
}

function only(states: readonly LimitState[]): LimitState {
  const [state] = states;
  if (state === undefined || states.length !== 1) throw new Error(`expected one state, got ${states.length}`);
  return state;
}

function refused(outcome: ReserveOutcome): Extract<ReserveOutcome, { admitted: false }> {
  if (outcome.admitted) throw new Error("expected a refusal");
  return outcome;
}
