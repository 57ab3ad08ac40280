import { describe, expect, it } from "vitest";
import { JournalHistory } from "../../src/ledger/journal-history.ts";
import type { UsedAmounts, UsedQuery } from "../../src/ledger/used-amounts.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { directoryEntry } from "../stores/samples.ts";

const nowMs = Date.UTC(2026, 4, 17, 22);

function setting(name: string, more: Partial<LimitSetting>): LimitSetting {
  return { name, unit: "tokens", window: "day", ceiling: 1, burst: undefined, key: undefined, model: undefined, ...more };
}

function used(keyId: string, model: string, endUser: string | undefined, tokens: number): UsedAmounts {
  return { keyId, model, endUser, amounts: { requests: 2, tokens, inputTokens: tokens - 1, outputTokens: 1, microUsd: 7 } };
}

function history(
  limits: readonly LimitSetting[],
  seen: readonly UsedAmounts[],
  timeZone?: string,
): [JournalHistory, UsedQuery[]] {
  const queries: UsedQuery[] = [];
  const entry = directoryEntry("acme", 1);
  const directory = {
    find: () => ({ ...entry, limits, tenant: { ...entry.tenant, ...(timeZone === undefined ? {} : { timeZone }) } }),
    touchKey: () => undefined,
  };
  const reader = {
    used: (query: UsedQuery) => {
      queries.push(query);
      return Promise.resolve(seen);
    },
  };
  return [new JournalHistory(directory, reader, (model) => (model === "gone" ? undefined : `tier of ${model}`)), queries];
}

async function counters(limits: readonly LimitSetting[], seen: readonly UsedAmounts[]): Promise<Record<string, number>> {
  const found = await history(limits, seen)[0].counters("acme", nowMs, new Set());
  return Object.fromEntries(found.map(({ limit, used: amount }) => [limit.counter, amount]));
}

describe("what limits have used, by the journal", () => {
  it("is read by end user only for windows that have a limit of one", async () => {
    const [read, queries] = history([setting("of-user", { endUser: "each" }), setting("monthly", { window: "month" })], []);
    await read.counters("acme", nowMs, new Set());
    expect(queries.map(({ byEndUser }) => byEndUser)).toEqual([true, false]);
  });

  it("is summed for each counter as requests were counted on it: by key, model, tier and end user", async () => {
    const limits = [
      setting("all", {}),
      setting("asked", { unit: "requests" }),
      setting("of-key", { key: "each" }),
      setting("of-a", { model: "a" }),
      setting("of-tier", { tier: "each", unit: "micro_usd", window: "month" }),
      setting("of-user", { endUser: "each" }),
    ];
    const seen = [used("k1", "a", undefined, 10), used("k1", "b", "u1", 20), used("k2", "a", "u1", 30)];
    expect(await counters(limits, seen)).toEqual({
      all: 60,
      asked: 6,
      "of-key|key=k1": 30,
      "of-key|key=k2": 30,
      "of-a|model=a": 40,
      "of-tier|tier=tier of a": 14,
      "of-tier|tier=tier of b": 7,
      "of-user|user=": 10,
      "of-user|user=u1": 50,
    });
  });

  it("leaves alone what no journal tells: buckets, what is open, and tiers of models that are gone", async () => {
    const limits = [
      setting("bucket", { window: "minute" }),
      setting("slots", { unit: "concurrent", window: "open" }),
      setting("of-tier", { tier: "each" }),
      setting("all", {}),
    ];
    expect(await counters(limits, [used("k1", "gone", undefined, 5)])).toEqual({ all: 5 });
  });

  it("is of the periods that the store's time lies in, in the tenant's time zone", async () => {
    const [journal, queries] = history(
      [setting("day", {}), setting("month", { window: "month" })],
      [used("k1", "a", undefined, 5)],
      "Asia/Singapore",
    );
    const except = new Set(["r1"]);
    const found = await journal.counters("acme", nowMs, except);
    expect(queries.map(({ fromMs, toMs }) => [new Date(fromMs).toISOString(), new Date(toMs).toISOString()])).toEqual([
      ["2026-05-17T16:00:00.000Z", "2026-05-18T16:00:00.000Z"],
      ["2026-04-30T16:00:00.000Z", "2026-05-31T16:00:00.000Z"],
    ]);
    expect(queries.every((query) => query.except === except)).toBe(true);
    for (const { limit, period } of found) expect(limit.periods).toContain(period);
  });
});
