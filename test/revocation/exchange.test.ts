import { describe, expect, it } from "vitest";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { digestBody } from "../../src/tenant/digest-body.ts";
import type { RevocationScope } from "../../src/revocation/order.ts";
import type { Gate } from "../exchange/gate.ts";
import { gateOpener } from "../exchange/open-gates.ts";
import { digestSecret } from "../support/permits.ts";
import { eventStream, json } from "../support/scripted-transport.ts";
import { openaiChat, sse } from "../upstream/streams.ts";
import { order } from "./orders.ts";

const [begun, more] = [sse(openaiChat.slice(0, 2)), sse(openaiChat.slice(2, 3))];
const whole = '{"id":"x","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}';

/** The region of the two that did not get the last request. */
function otherThan(gate: Gate): string {
  return gate.transport.last.request.origin.includes("sea") ? "swe" : "sea";
}

const open = gateOpener();

const everything: readonly (readonly [string, RevocationScope])[] = [
  ["a model", { model: "gpt-test" }],
  ["a tier", { tier: "standard" }],
  ["a tenant", { tenant: "acme" }],
  ["tenants of a country", { tenantCountry: "DE" }],
  ["a model for a tenant", { model: "gpt-test", tenant: "acme" }],
];
const nothing: readonly (readonly [string, RevocationScope])[] = [
  ["another model", { model: "claude-test" }],
  ["another tier", { tier: "frontier" }],
  ["another tenant", { tenant: "globex" }],
  ["another key", { key: "zzzzzzzz" }],
  ["a country of which the tenant is not", { tenantCountry: "FR" }],
  ["another tenant with this model", { model: "gpt-test", tenant: "globex" }],
  ["a country where nothing runs", { country: "BR" }],
];

describe("a request under orders", () => {
  it.each(everything)("is refused, with nothing held or sent, where the order names %s", async (_name, scope) => {
    const gate = await open();
    gate.revocations.learn([order("1", scope)], "test");
    const asked = await gate.finished(gate.ask());
    expect(asked.outbound.status).toBe(403);
    expect(asked.outbound.header("x-should-retry")).toBe("false");
    expect(asked.json.error).toMatchObject({ code: "revoked", message: expect.stringContaining("revocation_1") });
    expect(gate.transport.calls).toHaveLength(0);
    expect(gate.closed).toHaveLength(0);
  });

  it("waits for the orders that are still being asked for, and is refused by them", async () => {
    const gate = await open();
    const heard = Promise.withResolvers<void>();
    Object.assign(gate.revocations, { hear: () => heard.promise });
    const asked = await gate.reached();
    expect(gate.transport.calls).toHaveLength(0);
    gate.revocations.learn([order("1", { model: "gpt-test" })], "test");
    heard.resolve();
    await gate.finished(asked);
    expect([asked.outbound.status, gate.transport.calls.length]).toEqual([403, 0]);
  });

  it.each(nothing)("goes its way where the order names %s", async (_name, scope) => {
    const gate = await open({ play: (call) => call.answer(200, json, whole) });
    gate.revocations.learn([order("1", scope)], "test");
    expect((await gate.finished(gate.ask())).outbound.status).toBe(200);
  });

  it.each([
    ["deployment", { deployment: "sea/aaa" }],
    ["region", { region: "sea" }],
    ["country", { country: "SG" }],
    ["country for this tenant", { country: "SG", tenant: "acme" }],
  ] as const)("is answered elsewhere where the order names one %s", async (_name, scope) => {
    const gate = await open({ play: (call) => call.answer(200, json, whole) });
    gate.revocations.learn([order("1", scope)], "test");
    for (let round = 0; round < 5; round++)
      expect((await gate.finished(gate.ask())).outbound.header("x-strait-region")).toBe("swe");
  });

  it("is refused where the orders leave it no deployment", async () => {
    const gate = await open();
    gate.revocations.learn([order("1", { country: "SG" }), order("2", { region: "swe" })], "test");
    const asked = await gate.finished(gate.ask());
    expect(asked.outbound.status).toBe(403);
    expect(gate.transport.calls).toHaveLength(0);
  });

  it("goes its way again once the order is restored, or has expired", async () => {
    const gate = await open({ play: (call) => call.answer(200, json, whole) });
    const one = order("1", { model: "gpt-test" });
    const other = order("2", { model: "gpt-test" }, { expiresAtMs: gate.clock.nowMs() + 1_000 });
    gate.revocations.learn([one, other], "test");
    gate.revocations.learn([{ ...one, restored: { atMs: gate.clock.nowMs(), by: "operator" } }], "test");
    expect((await gate.finished(gate.ask())).outbound.status).toBe(403);
    await gate.clock.pass(1_000);
    gate.revocations.learn([one], "an older copy");
    expect((await gate.finished(gate.ask())).outbound.status).toBe(200);
  });

  it("is not tried at a deployment that an order takes away between two attempts", async () => {
    const gate = await open();
    const asked = await gate.reached();
    gate.revocations.learn([order("1", { region: otherThan(gate) })], "test");
    gate.transport.last.answer(503, json, "{}");
    await gate.finished(asked);
    expect(gate.transport.calls).toHaveLength(1);
    expect(asked.outbound.status).not.toBe(200);
  });
});

describe("an open exchange", () => {
  it.each(everything)(
    "is cut with an error event where an order names %s, and its receipt names the order",
    async (_n, scope) => {
      const gate = await open();
      const asked = await gate.reached();
      const call = gate.transport.last;
      call.connected().head(200, eventStream).data(begun);
      await gate.settle();
      const before = asked.outbound.text;
      gate.revocations.learn([order("1", scope)], "test");
      call.data(more);
      await gate.finished(asked);
      const after = asked.outbound.text.slice(before.length);
      expect(call.aborts).toBe(1);
      expect(after).toContain('"code":"revoked"');
      expect(after).not.toContain("choices");
      expect(await gate.receiptOf(asked)).toMatchObject({
        end: "revoked",
        revokedBy: "revocation_1",
        usageSource: "estimated",
        // Of all that the client got: it was told before the receipt was written, and of that as well.
        answerDigest: digestBody(new TextEncoder().encode(asked.outbound.text), { key: digestSecret }, hashes),
      });
    },
  );

  it("is cut before its head as well, with a plain refusal", async () => {
    const gate = await open();
    const asked = await gate.reached();
    gate.transport.last.connected();
    gate.revocations.learn([order("1", { model: "gpt-test" })], "test");
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(403);
    expect(gate.transport.last.aborts).toBe(1);
    expect(await gate.receiptOf(asked)).toMatchObject({ end: "revoked", revokedBy: "revocation_1", status: 403 });
  });

  it("goes on where the order is about another, or about another place", async () => {
    const gate = await open();
    const asked = await gate.reached();
    const call = gate.transport.last;
    call.connected().head(200, eventStream).data(begun);
    await gate.settle();
    gate.revocations.learn(
      [order("1", { region: otherThan(gate) }), ...nothing.map(([, scope], index) => order(`n${index}`, scope))],
      "t",
    );
    call.data(sse(openaiChat.slice(2))).end();
    await gate.finished(asked);
    expect(await gate.receiptOf(asked)).toMatchObject({ end: "completed" });
  });

  it("is never sent what waited for a slow client when the order came", async () => {
    const gate = await open();
    const asked = await gate.reached();
    asked.outbound.slow = true;
    gate.transport.last.connected().head(200, eventStream).data(begun);
    await gate.settle();
    gate.transport.last.data(more);
    const before = asked.outbound.text;
    gate.revocations.learn([order("1", { model: "gpt-test" })], "test");
    asked.outbound.slow = false;
    asked.outbound.drain();
    await gate.finished(asked);
    expect(asked.outbound.text.slice(before.length)).not.toContain('"content"');
  });
});

it("a stream that is cut ends at once, while its books are still open", async () => {
  let closeBooks = (): void => undefined;
  const slow = new Promise<void>((resolve) => (closeBooks = resolve));
  const gate = await open({ ports: { books: { close: () => slow } } });
  const asked = await gate.reached();
  gate.transport.last.connected().head(200, eventStream).data(begun);
  await gate.settle();
  gate.revocations.learn([order("1", { model: "gpt-test" })], "test");
  await gate.settle();
  expect([asked.outbound.ended, asked.isDone]).toEqual([1, false]);
  expect(asked.outbound.text).toContain('"code":"revoked"');
  expect(await gate.revocations.acknowledgements("revocation_1")).toMatchObject([{ cut: 1, ended: 1 }]);
  closeBooks();
  await gate.finished(asked);
  expect(asked.outbound.ended).toBe(1);
  expect(await gate.revocations.acknowledgements("revocation_1")).toMatchObject([{ cut: 1, ended: 1 }]);
});

it("the books of what was cut are closed once the others were told that the order hits", async () => {
  const closed: string[] = [];
  const gate = await open({
    ports: {
      books: {
        close: async ({ requestId }) => {
          closed.push(requestId);
        },
      },
    },
  });
  let tellOthers = (): void => undefined;
  const others = new Promise<void>((resolve) => (tellOthers = resolve));
  Object.assign(gate.revocations, { othersCut: () => others });
  const asked = await gate.reached();
  gate.transport.last.connected().head(200, eventStream).data(begun);
  await gate.settle();
  gate.revocations.learn([order("1", { model: "gpt-test" })], "test");
  await gate.settle();
  expect([asked.outbound.ended, closed.length]).toEqual([1, 0]);
  tellOthers();
  await gate.finished(asked);
  expect(closed).toHaveLength(1);
});
