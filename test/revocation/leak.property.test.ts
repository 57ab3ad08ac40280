import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { RevocationScope } from "../../src/revocation/order.ts";
import { Gate } from "../exchange/gate.ts";
import { settled } from "../support/fake-clock.ts";
import { eventStream, json } from "../support/scripted-transport.ts";
import { bytesOf, cutAt, cuts } from "../support/chunks.ts";
import { openaiChat, sse } from "../upstream/streams.ts";
import { order } from "./orders.ts";

let gate: Gate;
beforeAll(async () => {
  gate = await Gate.open();
});
afterAll(() => gate.close());

/** All of them hit every request of the test, wherever it runs. */
const scopes: readonly RevocationScope[] = [{ model: "gpt-test" }, { tenant: "acme" }, { tier: "standard", tenantCountry: "DE" }];

const script = fc.record({
  scope: fc.constantFrom(...scopes),
  cuts,
  /** Before which of the things that happen the order comes. */
  at: fc.nat(9),
  failing: fc.nat(2),
  slow: fc.boolean(),
  stream: fc.boolean(),
});

let number = 0;
const ends = new Map<string | undefined, number>();

it("sends nothing upstream and nothing of the model's to the client from the moment on at which an order is known", async () => {
  await fc.assert(
    fc.asyncProperty(script, async ({ scope, cuts: fractions, at, failing, slow, stream }) => {
      await gate.clock.pass(70_000);
      for (const id of ["sea/aaa", "swe/bbb"]) gate.health.of(id).refusedRequest();
      number += 1;
      const one = order(String(number), scope);
      let step = 0;
      let attemptsThen: number | undefined;
      let textThen = "";
      const body = { model: "gpt-test", stream, messages: [{ role: "user", content: "hello" }], max_tokens: 50 };
      const already = gate.transport.calls.length;
      const asked = gate.ask({ body });
      asked.outbound.slow = slow;
      const learn = (): void => {
        gate.revocations.learn([one], "test");
        attemptsThen = gate.transport.calls.length;
        textThen = asked.outbound.text;
      };
      /** The order comes between two of these, never inside one. */
      const next = async (happens: () => void): Promise<void> => {
        if (step++ === at) learn();
        happens();
        await settled();
      };
      /** Until there is so many an attempt, or never will be. */
      const attempted = async (count: number): Promise<void> => {
        for (let turn = 0; turn < 20 && gate.transport.calls.length < already + count && !asked.isDone; turn += 1)
          await settled();
      };
      const playing = (): boolean => gate.transport.calls.length > already && !gate.transport.last.over;
      await next(() => undefined);
      await attempted(1);
      for (let failed = 0; failed < failing; failed += 1) {
        await next(() => playing() && gate.transport.last.answer(503, json, "{}"));
        await attempted(failed + 2);
      }
      await next(() => playing() && gate.transport.last.connected().head(200, stream ? eventStream : json));
      const text = stream ? sse(openaiChat) : '{"id":"x","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}';
      for (const piece of cutAt(bytesOf(text), fractions)) await next(() => playing() && gate.transport.last.data(piece));
      // What is complete by now is the client's.
      if (attemptsThen === undefined) learn();
      asked.outbound.slow = false;
      asked.outbound.drain();
      if (playing()) gate.transport.last.end();
      await gate.finished(asked);
      gate.revocations.learn([{ ...one, restored: { atMs: 1, by: "test" } }], "test");
      expect(gate.transport.calls.length).toBe(attemptsThen);
      const after = asked.outbound.text.slice(textThen.length);
      expect(after).not.toContain("choices");
      expect(after).not.toContain("prompt_tokens");
      expect(gate.transport.calls.slice(already).every(({ over }) => over)).toBe(true);
      const receipt = await gate.receiptOf(asked);
      if (receipt?.end === "revoked") expect(receipt.revokedBy).toBe(one.id);
      ends.set(receipt?.end, (ends.get(receipt?.end) ?? 0) + 1);
    }),
    { numRuns: 300, endOnFailure: false },
  );
  // Refused before it was reserved, and cut: neither may be the only thing that was tried.
  expect(ends.get(undefined)).toBeGreaterThan(10);
  expect(ends.get("revoked")).toBeGreaterThan(100);
}, 60_000);
