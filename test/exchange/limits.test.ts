import { describe, expect, it } from "vitest";
import { Learning } from "../../src/quota/learning.ts";
import { LimitNotices } from "../../src/quota/limit-notices.ts";
import type { Tenant } from "../../src/tenant/tenant.ts";
import { catalogueOf, deployment, price } from "../support/catalogue.ts";
import { tenant } from "../support/permits.ts";
import { json } from "../support/scripted-transport.ts";
import { place, type Asked, type Gate, type GateOptions } from "./gate.ts";
import { gateOpener } from "./open-gates.ts";
import { limit } from "./one-exchange.ts";

const openGate = gateOpener({ play: (call) => call.answer(200, [...json], document(12, 5)) });

async function open(options: GateOptions = {}, more: Partial<Tenant> = {}): Promise<Gate> {
  const gate = await openGate(options);
  const entry = await gate.stores.directory.find(tenant.id);
  if (entry === undefined) throw new Error("no tenant");
  const audit = { id: "audit-2", at: tenant.createdAt, actor: "test", action: "tenant.change", tenantId: tenant.id, detail: {} };
  await gate.stores.directory.save({ ...entry, revision: 2, tenant: { ...entry.tenant, ...more } }, audit);
  return gate;
}

function document(input: number, output: number): string {
  return JSON.stringify({
    id: "chatcmpl-1",
    model: "gpt-served",
    choices: [],
    usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
  });
}

const body = { model: "gpt-test", messages: [{ role: "user", content: "hello" }], max_tokens: 50 };
const send = async (gate: Gate, more: object = {}): Promise<Asked> => gate.finished(gate.ask({ body: { ...body, ...more } }));
const message = (asked: Asked): string => asked.json.error?.message ?? "";

describe("limits of end users", () => {
  const eachUser = limit({ name: "per-user", unit: "requests", window: "minute", ceiling: 1, endUser: "each" });

  it("are one each, by the name that any dialect gives, and of all who give none together", async () => {
    const gate = await open({ limits: [eachUser] });
    const statuses = [];
    for (const more of [{ user: "anna" }, { safety_identifier: "ben" }, { user: "anna" }, {}, {}])
      statuses.push((await send(gate, more)).outbound.status);
    expect(statuses).toEqual([200, 200, 429, 200, 429]);
  });

  it("say that it is the end user's, and never who that is: neither in the answer nor in receipt and span", async () => {
    const gate = await open({ limits: [eachUser] });
    const served = await send(gate, { user: "anna@example.com" });
    const refused = await send(gate, { user: "anna@example.com" });
    expect(message(refused)).toContain('(limit "per-user", set for the end user)');
    const receipt = await gate.receiptOf(served);
    expect(receipt?.endUser).toMatch(/^u_[0-9a-f]{20}$/);
    const kept = JSON.stringify([receipt, gate.spans().map((span) => span.attributes), gate.logged]);
    expect(kept).not.toContain("anna");
    expect(gate.spans().some((span) => span.attributes["strait.end_user"] === receipt?.endUser)).toBe(true);
  });
});

describe("a refusal by a limit", () => {
  it("of a day says in the tenant's own time zone when the day ends, and tells SDKs not to retry", async () => {
    // The fake clock begins at 2026-11-23T00:00Z, eight in the morning in Singapore.
    const gate = await open(
      { limits: [limit({ name: "daily", unit: "requests", window: "day", ceiling: 1 })] },
      { timeZone: "Asia/Singapore" },
    );
    await send(gate);
    const refused = await send(gate);
    expect(refused.outbound.status).toBe(429);
    expect(message(refused)).toBe(
      'Limit reached: 1 requests a day (limit "daily", set for the tenant). This request may need 1, 0 remain. ' +
        "Ask your operator for more, or come back when the day ends, at 2026-11-23T16:00:00Z.",
    );
    expect(refused.outbound.header("x-should-retry")).toBe("false");
    expect(refused.outbound.header("retry-after")).toBeUndefined();
    gate.clock.advance(16 * 3_600_000);
    expect((await send(gate)).outbound.status).toBe(200);
  });

  it("of a day that open requests hold, and have not used, is one to wait for", async () => {
    const gate = await open({
      play: () => undefined,
      limits: [limit({ name: "daily", unit: "output_tokens", window: "day", ceiling: 60 })],
    });
    const first = await gate.reached({ body });
    const refused = await send(gate);
    expect(refused.outbound.header("retry-after")).toBe("1");
    expect(refused.outbound.header("x-should-retry")).toBeUndefined();
    expect(message(refused)).toContain("10 remain. Requests of yours that are still open hold the rest: try again in 1 s.");
    gate.transport.last.answer(200, [...json], document(12, 5));
    await gate.finished(first);
    expect((await gate.reached({ body })).outbound.status).toBeUndefined();
  });

  it("that waiting does not mend names estimate and limit", async () => {
    const gate = await open({
      limits: [limit({ name: "small", unit: "output_tokens", window: "minute", ceiling: 40, tier: "standard" })],
    });
    const refused = await send(gate);
    expect(message(refused)).toBe(
      'This request can never fit: it may need 50, over 40 output tokens a minute (limit "small", set for the tier). ' +
        "Lower max_tokens, shorten the prompt, or ask your operator for more.",
    );
    expect(refused.outbound.header("x-should-retry")).toBe("false");
  });

  it("with a burst of its own names what a minute has and what may be asked at once", async () => {
    const burst = { unit: "output_tokens", window: "minute", ceiling: 60, burst: 90 } as const;
    const gate = await open({ limits: [limit({ name: "wide", ...burst })] });
    await send(gate, { max_tokens: 90 });
    await send(gate, { max_tokens: 90 });
    const [refused, neverFitting] = [await send(gate, { max_tokens: 90 }), await send(gate, { max_tokens: 91 })];
    expect(message(refused)).toContain('Limit reached: 60 output tokens a minute, at most 90 at once (limit "wide"');
    expect(message(neverFitting)).toContain("may need 91, over 60 output tokens a minute, at most 90 at once (limit");
  });

  it("shows the same state in its headers as an answer does", async () => {
    const gate = await open({ limits: [limit({ name: "rpm", unit: "requests", window: "minute", ceiling: 1 })] });
    const shown = (asked: Asked): (string | undefined)[] =>
      ["ratelimit-policy", "ratelimit", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"].map((name) =>
        asked.outbound.header(name),
      );
    expect(shown(await send(gate))).toEqual(['"rpm";q=1;w=60', '"rpm";r=0;t=60', "0", "1m0s"]);
    await gate.clock.pass(20_000);
    expect(shown(await send(gate))).toEqual(['"rpm";q=1;w=60', '"rpm";r=0;t=40', "0", "40s"]);
  });
});

describe("a limit in shadow mode", () => {
  it("refuses nothing, and stands in receipt, span and log, which hears of it once", async () => {
    const shadow = limit({ name: "watched", unit: "requests", window: "minute", ceiling: 1, shadow: true });
    const gate = await open({ limits: [shadow], ports: { limitNotices: new LimitNotices() } });
    const asked = [await send(gate), await send(gate), await send(gate)];
    expect(asked.map(({ outbound }) => outbound.status)).toEqual([200, 200, 200]);
    expect(asked.map(({ outbound }) => outbound.header("ratelimit"))).toEqual([undefined, undefined, undefined]);
    const receipts = await Promise.all(asked.map((one) => gate.receiptOf(one)));
    expect(receipts.map((receipt) => receipt?.shadowedLimits)).toEqual([undefined, ["watched"], ["watched"]]);
    expect(gate.logged.filter(({ message: text }) => text.includes("shadow"))).toEqual([
      {
        level: "warn",
        message: "a limit in shadow mode would have refused a request",
        fields: { tenant: tenant.id, limit: "watched", unit: "requests", window: "minute", capacity: 1, remaining: -1 },
      },
    ]);
    expect(gate.spans().filter((span) => span.attributes["strait.limit.shadowed"] !== undefined)).toHaveLength(2);
  });
});

describe("a hold", () => {
  const perMinute = limit({ name: "tpm", unit: "output_tokens", window: "minute", ceiling: 1_000_000 });
  const free = { max_tokens: undefined };

  async function afterSome(more: Partial<Tenant>): Promise<number> {
    const gate = await open({ limits: [perMinute], ports: { learning: new Learning() } }, more);
    for (let index = 0; index < 60; index++) await send(gate, free);
    await send(gate, free);
    return gate.closed.at(-1)?.receipt.heldTokens ?? 0;
  }

  it("shrinks to what answers lately were, once enough are known", async () => {
    expect(await afterSome({ holds: "learned" })).toBeLessThan(200);
  });

  it("stays the worst case for a tenant for which nothing else was chosen", async () => {
    expect(await afterSome({})).toBeGreaterThan(16_000);
  });

  it("that an answer runs above is settled at what the answer was", async () => {
    const learning = new Learning();
    const gate = await open({ limits: [perMinute], ports: { learning } }, { holds: "learned" });
    for (let index = 0; index < 60; index++) await send(gate, free);
    gate.transport.play = (call) => call.answer(200, [...json], document(12, 9_000));
    const long = await send(gate, free);
    const receipt = await gate.receiptOf(long);
    expect(receipt).toMatchObject({ chargedTokens: 9_012, usageSource: "reported" });
    expect(receipt?.heldTokens).toBeLessThan(200);
  });
});

describe("a price that changes", () => {
  const dear = { ...price, inputMicroUsdPerMillion: 1_000_000_000, outputMicroUsdPerMillion: 1_000_000_000 };
  const beginsMs = Date.UTC(2026, 10, 23) + 50;
  const catalogue = catalogueOf([
    deployment("aaa", { region: place, laterPrices: [{ effectiveFromMs: beginsMs, price: dear }] }),
  ]);

  it("while a request runs, or after, touches neither its charge nor its receipt", async () => {
    const gate = await open({ catalogue, play: () => undefined, limits: [] });
    const running = await gate.reached({ body });
    await gate.clock.pass(50);
    const next = await gate.reached({ body });
    for (const call of gate.transport.calls) call.answer(200, [...json], document(100, 10));
    const receipts = [];
    for (const asked of [running, next]) receipts.push(await gate.receiptOf(await gate.finished(asked)));
    expect(receipts.map((receipt) => [receipt?.costMicroUsd, receipt?.priceEffectiveFrom])).toEqual([
      [100 * 2 + 10 * 8, undefined],
      [110 * 1_000, new Date(beginsMs).toISOString()],
    ]);
    expect(receipts.map((receipt) => (receipt?.heldMicroUsd ?? 0) > 10_000)).toEqual([false, true]);
  });
});

describe("a tier of service", () => {
  const priority = { ...price, outputMicroUsdPerMillion: 16_000_000 };
  const catalogue = catalogueOf([deployment("aaa", { region: place, price: { ...price, serviceTiers: { priority } } })]);
  const answering =
    (tier: string): NonNullable<GateOptions["play"]> =>
    (call) =>
      call.answer(200, [...json], document(100, 10).replace('"choices"', `"service_tier":"${tier}","choices"`));

  it("is held where it is asked for, and charged where the answer names it", async () => {
    const paid = async (asked: string, given: string): Promise<unknown[]> => {
      const gate = await open({ catalogue, play: answering(given), limits: [] });
      const receipt = await gate.receiptOf(await send(gate, { service_tier: asked }));
      return [(receipt?.heldMicroUsd ?? 0) > 50 * 16, receipt?.costMicroUsd, receipt?.priceTier];
    };
    expect(await paid("priority", "priority")).toEqual([true, 100 * 2 + 10 * 16, "priority"]);
    expect(await paid("priority", "default")).toEqual([true, 100 * 2 + 10 * 8, undefined]);
    expect(await paid("default", "default")).toEqual([false, 100 * 2 + 10 * 8, undefined]);
  });
});
