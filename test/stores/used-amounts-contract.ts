import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { quarterMs } from "../../src/ledger/journal-reader.ts";
import type { Journal } from "../../src/ledger/journal.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { addAmounts, amountsCharged, type UsedAmounts, type UsedReader } from "../../src/ledger/used-amounts.ts";
import { receipt } from "./samples.ts";

export interface UsedWorld {
  readonly journal: Journal;
  readonly used: UsedReader;
  /** Brings sums up to date, where the store keeps such. */
  sumUp(): Promise<void>;
  close(): void | Promise<void>;
}

const beginMs = 1_000 * quarterMs;
const endMs = beginMs + 3 * quarterMs;
const time = fc.oneof(
  fc.integer({ min: beginMs - quarterMs, max: endMs + quarterMs }),
  fc.constantFrom(beginMs - 1, beginMs, beginMs + quarterMs, endMs - 1, endMs),
);
const drawn = fc.record({
  keyId: fc.constantFrom("key_1", "key_2"),
  model: fc.constantFrom("model-a", "model-b"),
  endUser: fc.constantFrom(undefined, "u1", "u2"),
  end: fc.constantFrom("completed" as const, "unsettled" as const),
  settledLater: fc.boolean(),
  sumUp: fc.boolean(),
  startedAtMs: time,
  chargedTokens: fc.integer({ min: 100, max: 2 ** 40 }),
  chargedInputTokens: fc.option(fc.nat(100), { nil: undefined }),
  costMicroUsd: fc.nat(1_000_000),
});

/** What every reader of used amounts does, whether it sums itself or lets a database do it. */
export function usedAmountsContract(name: string, openWorld: () => UsedWorld | Promise<UsedWorld>): void {
  describe(`used amounts: ${name}`, () => {
    let world: UsedWorld;
    beforeEach(async () => {
      world = await openWorld();
    });
    afterEach(() => world.close());

    it(
      "are the sums by key, model and, where asked for, end user of what began in the period, save what is left out, whatever was summed before",
      { timeout: 30_000 },
      async () => {
        let run = 0;
        const sums = fc.asyncProperty(
          fc.array(drawn, { maxLength: 20 }),
          fc.nat(6),
          fc.boolean(),
          async (all, leftOut, byEndUser) => {
            const tenantId = `tenant_${run++}`;
            const standing: Receipt[] = [];
            for (const [index, { chargedInputTokens, settledLater, sumUp, ...one }] of all.entries()) {
              const input = chargedInputTokens === undefined ? {} : { chargedInputTokens };
              const first = receipt(`r${index}`, { ...one, ...input, tenantId });
              const last: Receipt =
                settledLater && first.end === "unsettled" ? { ...first, end: "completed", chargedTokens: 100 } : first;
              await world.journal.append(first);
              if (sumUp) await world.sumUp();
              if (last !== first) await world.journal.append(last);
              standing.push(last);
            }
            await world.journal.append(receipt("of another", { tenantId: `${tenantId}_other`, startedAtMs: beginMs }));
            const except = new Set(standing.slice(0, leftOut).map((one) => one.requestId));
            const used = await world.used.used({ tenantId, fromMs: beginMs, toMs: endMs, except, byEndUser });
            const counted = standing.filter((one) => !except.has(one.requestId));
            expect(sorted(used)).toEqual(sorted(naively(counted, byEndUser)));
          },
        );
        await expect(fc.assert(sums, { numRuns: 25 })).resolves.toBeUndefined();
      },
    );

    it("go on over more receipts than are read at once", async () => {
      for (let index = 0; index < 600; index++)
        await world.journal.append(receipt(`r${index}`, { startedAtMs: beginMs + (index % 7) }));
      const [all, ...others] = await world.used.used({
        tenantId: "acme",
        fromMs: beginMs,
        toMs: endMs,
        except: new Set(["r3"]),
        byEndUser: false,
      });
      expect(others).toEqual([]);
      expect(all?.amounts).toEqual({ requests: 599, tokens: 5_990, inputTokens: 5_990, outputTokens: 5_990, microUsd: 599 * 25 });
    });

    it("are none for a tenant without receipts", async () => {
      expect(
        await world.used.used({ tenantId: "nobody", fromMs: 0, toMs: 1_000_000 * quarterMs, except: new Set(), byEndUser: true }),
      ).toEqual([]);
    });
  });
}

function naively(receipts: readonly Receipt[], byEndUser: boolean): UsedAmounts[] {
  const sums = new Map<string, UsedAmounts>();
  for (const one of receipts) {
    if (one.startedAtMs < beginMs || one.startedAtMs >= endMs) continue;
    const { keyId, model } = one;
    const endUser = byEndUser ? one.endUser : undefined;
    const name = `${keyId} ${model} ${endUser ?? "-"}`;
    const amounts = amountsCharged(one);
    const before = sums.get(name);
    sums.set(name, { keyId, model, endUser, amounts: before === undefined ? amounts : addAmounts(before.amounts, amounts) });
  }
  return [...sums.values()];
}

function sorted(used: readonly UsedAmounts[]): UsedAmounts[] {
  const name = ({ keyId, model, endUser }: UsedAmounts): string => `${keyId} ${model} ${endUser ?? "-"}`;
  return [...used].sort((left, right) => (name(left) < name(right) ? -1 : 1));
}
