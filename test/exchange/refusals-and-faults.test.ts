import { describe, expect, it } from "vitest";
import type { Policy } from "../../src/region/policy.ts";
import { StoreUnavailable, type QuotaStore } from "../../src/quota/store.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { openPolicy } from "../support/permits.ts";
import { eventStream, json } from "../support/scripted-transport.ts";
import { openaiChat, sse } from "../upstream/streams.ts";
import { catalogue, settings } from "./gate.ts";
import { gateOpener } from "./open-gates.ts";
import { daily, document, limit, limits, onlyReceipt, plain } from "./one-exchange.ts";

const open = gateOpener();

const [role, first, second] = openaiChat.map((event) => sse([event])) as [string, string, string];

describe("an exchange that is refused on its way", () => {
  it.each([
    ["without a key", { key: "" }, 401, "invalid_request_error"],
    ["with a key that is none", { key: "sk-strait-acme-aaaaaaaa-nonsense" }, 401, "invalid_request_error"],
    ["for a model that is not there", { body: { ...plain, model: "gpt-nowhere" } }, 404, "invalid_request_error"],
    [
      "for a model that is not served on that surface",
      { body: { ...plain, model: "claude-test" } },
      404,
      "invalid_request_error",
    ],
    ["with a body that is no JSON", { body: "{nope" }, 400, "invalid_request_error"],
    ["with a body too large", { body: { ...plain, filler: "x".repeat(70_000) } }, 413, "invalid_request_error"],
    ["with another content type", { headers: { "content-type": "text/plain" } }, 415, "invalid_request_error"],
  ] as const)("%s reserves nothing, reaches nobody and leaves no receipt", async (_name, ask, status, type) => {
    const gate = await open({ limits });
    const asked = await gate.finished(gate.ask(ask));
    expect(asked.outbound.status).toBe(status);
    expect(asked.json.error).toMatchObject({ type });
    expect(asked.requestId).toMatch(/^req_/);
    expect(gate.transport.calls).toEqual([]);
    expect(gate.closed).toEqual([]);
    expect(await gate.held(daily)).toBe(0);
    expect(gate.clock.pending).toBe(0);
  });

  it("by the scope of its key reaches nobody", async () => {
    const gate = await open({ keyModels: ["claude-test"] });
    const asked = await gate.finished(gate.ask({ body: plain }));
    expect([asked.outbound.status, asked.json.error?.code]).toEqual([403, "insufficient_scope"]);
    expect(gate.transport.calls).toEqual([]);
  });

  it("by a policy that ended while its body came is decided by what holds when the body is whole", async () => {
    const endsAtMs = new FakeClock().nowMs() + 1_000;
    const policy: Policy = { ...openPolicy, effectiveToMs: endsAtMs, boundariesMs: [endsAtMs] };
    const gate = await open({ ports: { world: () => ({ catalogue, policy }) } });
    const body = Promise.withResolvers<void>();
    const asked = gate.ask({ body: plain, arrives: body.promise });
    await gate.clock.pass(1_000);
    body.resolve();
    await gate.finished(asked);
    expect([asked.outbound.status, asked.json.error?.code]).toEqual([503, "policy_not_in_force"]);
    expect(gate.transport.calls).toEqual([]);
  });

  it("by a limit reaches nobody, says which, and when to come back", async () => {
    const gate = await open({ limits: [limit({ name: "one-at-once", unit: "concurrent", window: "open", ceiling: 1 })] });
    const first = await gate.reached();
    const second = await gate.finished(gate.ask());
    expect(second.outbound.status).toBe(429);
    expect(second.json.error?.message).toContain("one-at-once");
    expect(gate.transport.calls).toHaveLength(1);
    gate.transport.last.answer(200, eventStream, sse(openaiChat));
    await gate.finished(first);
    const third = await gate.reached();
    expect(gate.transport.calls).toHaveLength(2);
    gate.transport.last.answer(200, eventStream, sse(openaiChat));
    await gate.finished(third);
    expect(gate.closed).toHaveLength(2);
  });

  it("by a store that cannot be reached admits nothing", async () => {
    const burning = (): Promise<never> => Promise.reject(new StoreUnavailable("disk on fire"));
    const quota: QuotaStore = {
      reserve: burning,
      settle: burning,
      renew: burning,
      expire: burning,
      recorded: burning,
      inspect: burning,
    };
    const gate = await open({ ports: { quota } });
    const asked = await gate.finished(gate.ask());
    expect(asked.outbound.status).toBe(503);
    expect(asked.json.error).toMatchObject({ code: "gateway_store_unavailable" });
    expect(asked.outbound.text).not.toContain("disk");
    expect(gate.transport.calls).toEqual([]);
  });
});

describe("an exchange whose own machinery fails", () => {
  it("whose books cannot be closed gives nothing out without its record, and its reservation expires into an unsettled receipt", async () => {
    const gate = await open({ limits, ports: { books: { close: () => Promise.reject(new StoreUnavailable("full")) } } });
    const asked = await gate.reached({ body: plain });
    gate.transport.last.answer(200, json, document);
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(503);
    expect(asked.outbound.text).not.toContain("gpt-served");
    expect(gate.logged.some(({ level }) => level === "error")).toBe(true);
    gate.clock.advance(settings.leaseMs + 1);
    const { sweepExpired } = await import("../../src/ledger/sweep.ts");
    const log = { info() {}, warn() {}, error() {} };
    expect(await sweepExpired(gate.stores.quota, gate.stores.journal, log)).toBe(1);
    expect(await sweepExpired(gate.stores.quota, gate.stores.journal, log)).toBe(0);
    expect(await gate.receiptOf(asked)).toMatchObject({ end: "unsettled", usageSource: "held" });
  });

  it("whose books cannot be closed keeps from a client what would say that its stream is complete", async () => {
    const gate = await open({ limits, ports: { books: { close: () => Promise.reject(new StoreUnavailable("full")) } } });
    const asked = await gate.reached();
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + first + second);
    await gate.settle();
    gate.transport.last.data(sse(openaiChat.slice(3))).end();
    await gate.finished(asked);
    expect(asked.outbound.text).toContain(first + second);
    expect(asked.outbound.text).not.toContain("[DONE]");
    expect(asked.outbound.text).toMatch(/gateway_store_unavailable.*\n\n$/);
    expect([asked.outbound.ended, asked.outbound.cuts]).toEqual([1, 0]);
  });

  it("whose books cannot be closed breaks off a document that was long under way, without its end", async () => {
    const gate = await open({ limits, ports: { books: { close: () => Promise.reject(new StoreUnavailable("full")) } } });
    const asked = await gate.reached({ body: plain });
    const long = JSON.stringify({ ...(JSON.parse(document) as object), padding: "x".repeat(2_000_000) });
    gate.transport.last.connected().head(200, json).data(long.slice(0, 1_500_000));
    await gate.settle();
    gate.transport.last.data(long.slice(1_500_000)).end();
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(200);
    expect(asked.outbound.text.length).toBeLessThan(long.length);
    expect([asked.outbound.ended, asked.outbound.cuts]).toEqual([0, 1]);
  });

  it("whose head cannot be written ends the upstream's call, settles once, and says 500", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    const { outbound } = asked;
    const write = outbound.head.bind(outbound);
    let broken = true;
    outbound.head = (status, headers) => {
      if (broken) {
        broken = false;
        throw new TypeError("Invalid character in header content");
      }
      write(status, headers);
    };
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + first);
    await gate.finished(asked);
    expect(gate.transport.last.aborts).toBe(1);
    expect(outbound.ended + outbound.cuts).toBe(1);
    expect(gate.closed).toHaveLength(1);
    expect(gate.closed[0]?.receipt.end).toBe("upstream_failed");
    expect(gate.open.count).toBe(0);
    expect(gate.clock.pending).toBe(0);
  });

  it("renews its lease for as long as the answer lasts, so that the store does not take it back", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + first);
    for (let waited = 0; waited < 29_000; waited += 1_000) {
      gate.transport.last.data(second);
      await gate.clock.pass(1_000);
    }
    expect(await gate.stores.quota.expire(10)).toEqual([]);
    gate.clock.advance(0);
    gate.transport.last.data(sse(openaiChat.slice(3))).end();
    await gate.finished(asked);
    expect(await onlyReceipt(gate, asked)).toMatchObject({ end: "completed", chargedTokens: 30 });
  });
});
