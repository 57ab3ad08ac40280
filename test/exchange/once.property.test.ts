import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { concat } from "../../src/bytes.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { digestBody } from "../../src/tenant/digest-body.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { bytesOf, cutAt } from "../support/chunks.ts";
import { settled } from "../support/fake-clock.ts";
import { digestSecret, tenant } from "../support/permits.ts";
import { eventStream, json, type ScriptedCall } from "../support/scripted-transport.ts";
import { countingAlong, messages, namedSse, openaiChat, responses, sse } from "../upstream/streams.ts";
import { Gate, type Ask } from "./gate.ts";

const concurrent: LimitSetting = {
  name: "at-once",
  unit: "concurrent",
  window: "open",
  ceiling: 50,
  burst: undefined,
  key: undefined,
  model: undefined,
};
const monthly: LimitSetting = { ...concurrent, name: "a-month", unit: "micro_usd", window: "month", ceiling: 1_000_000_000 };
const daily: LimitSetting = { ...concurrent, name: "a-day", unit: "tokens", window: "day", ceiling: 1_000_000_000 };

let gate: Gate;

beforeAll(async () => {
  gate = await Gate.open({ limits: [concurrent, monthly, daily] });
});

afterAll(() => gate.close());

const chat: Ask = {};
const messagesAsk: Ask = {
  path: "/v1/messages",
  headers: { "anthropic-version": "2023-06-01" },
  body: { model: "claude-test", max_tokens: 30, stream: true, messages: [{ role: "user", content: "hi" }] },
};
const responsesAsk: Ask = { path: "/v1/responses", body: { model: "gpt-test", input: "hi", stream: true } };

const answers = [
  { name: "a chat stream", ask: chat, headers: eventStream, text: sse(openaiChat) },
  { name: "a chat stream that counts along", ask: chat, headers: eventStream, text: sse(countingAlong) },
  { name: "a Responses stream", ask: responsesAsk, headers: eventStream, text: namedSse(responses("completed")) },
  { name: "a Responses stream that fails", ask: responsesAsk, headers: eventStream, text: namedSse(responses("failed")) },
  {
    name: "a Messages stream",
    ask: messagesAsk,
    headers: eventStream,
    text: namedSse(messages({ input_tokens: 3, output_tokens: 1 }, { output_tokens: 9 })),
  },
  {
    name: "a refusal in a stream",
    ask: chat,
    headers: eventStream,
    text: sse([openaiChat[0], { error: { code: "overloaded_error" } }]),
  },
  { name: "a fault in a stream", ask: chat, headers: eventStream, text: sse([{ error: { code: "context_length_exceeded" } }]) },
  {
    name: "an error in mid-stream",
    ask: chat,
    headers: eventStream,
    text: sse([...openaiChat.slice(0, 3), { error: { code: "server_error" } }]),
  },
  {
    name: "a document",
    ask: { body: { model: "gpt-test", messages: [{ role: "user", content: "x" }], max_tokens: 9 } } as Ask,
    headers: json,
    text: `{"id":"x","choices":["${"y".repeat(6_000)}"],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}}`,
  },
] as const;

type Fault = "none" | "end" | "reset" | "hang-up" | "deadline" | "revoke" | "shutdown" | "silence" | "slow-client";

const faults: readonly Fault[] = ["none", "end", "reset", "hang-up", "deadline", "revoke", "shutdown", "silence", "slow-client"];

interface Script {
  readonly answer: (typeof answers)[number];
  readonly cuts: readonly number[];
  /** After which piece the fault comes. */
  readonly at: number;
  readonly fault: Fault;
  readonly before: "nothing" | "refused connection" | "busy" | "status";
  readonly turns: boolean;
}

const script: fc.Arbitrary<Script> = fc.record({
  answer: fc.constantFrom(...answers),
  cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), { maxLength: 6 }),
  at: fc.nat(7),
  fault: fc.constantFrom(...faults),
  before: fc.constantFrom("nothing", "refused connection", "busy", "status"),
  turns: fc.boolean(),
});

async function play({
  answer,
  cuts,
  at,
  fault,
  before,
  turns,
}: Script): Promise<{ readonly closed: readonly Receipt[]; readonly violations: readonly string[]; readonly sent: Uint8Array }> {
  const already = gate.closed.length;
  const asked = await gate.reached(answer.ask);
  if (before !== "nothing") {
    const number = gate.transport.calls.length;
    const failing = gate.transport.last;
    if (before === "refused connection") failing.fail("connect");
    else failing.answer(before === "busy" ? 429 : 503, [...json, "retry-after-ms", "50"], "{}");
    for (let turn = 0; turn < 20 && gate.transport.calls.length === number && !asked.isDone; turn++) await gate.clock.pass(20);
  }
  const call: ScriptedCall = gate.transport.last;
  call.connected().head(200, answer.headers);
  const pieces = cutAt(bytesOf(answer.text), cuts);
  for (const [index, piece] of [...pieces, undefined].entries()) {
    if (index === Math.min(at, pieces.length)) {
      if (fault === "end") call.end();
      else if (fault === "reset") call.fail();
      else if (fault === "hang-up") asked.inbound.hangUp();
      else if (fault === "deadline") gate.clock.advance(31_000);
      else if (fault === "revoke") for (const open of gate.open) open.revoke("revocation_test", "revoked");
      else if (fault === "shutdown") gate.open.cut("shutting_down");
      else if (fault === "silence") await gate.clock.pass(2_500, 5);
      else if (fault === "slow-client") asked.outbound.slow = true;
    }
    if (turns) await settled();
    if (piece !== undefined && !call.paused) call.data(piece);
  }
  asked.outbound.slow = false;
  asked.outbound.drain();
  call.end();
  asked.outbound.finishing = true;
  await gate.finished(asked);
  await gate.settle();
  const { violations, pieces: sent } = asked.outbound;
  return { closed: gate.closed.slice(already).map(({ receipt }) => receipt), violations, sent: concat(sent) };
}

describe("every exchange", () => {
  it("settles once and leaves one receipt, under any cut of bytes, hang-up, deadline or upstream fault", async () => {
    let chargedTokens = 0;
    let chargedMicroUsd = 0;
    await fc.assert(
      fc.asyncProperty(script, async (each) => {
        // What the last run did to a deployment is not this run's matter.
        await gate.clock.pass(70_000);
        for (const id of ["sea/aaa", "swe/bbb", "claude-us/ccc"]) gate.health.of(id).refusedRequest();
        const { closed, violations, sent } = await play(each);
        expect(violations).toEqual([]);
        expect(closed).toHaveLength(1);
        const [receipt] = closed as [Receipt];
        expect(await gate.stores.journal.find(tenant.id, receipt.requestId)).toEqual(JSON.parse(JSON.stringify(receipt)));
        expect(gate.open.count).toBe(0);
        expect(gate.clock.pending).toBe(0);
        expect(gate.transport.calls.every(({ over }) => over)).toBe(true);
        // The store holds nothing more, and counts what the receipts say, to the token and the micro-dollar.
        chargedTokens += receipt.chargedTokens;
        chargedMicroUsd += receipt.costMicroUsd;
        expect(await gate.held(concurrent)).toBe(0);
        expect(await gate.held(daily)).toBe(chargedTokens);
        expect(await gate.held(monthly)).toBe(chargedMicroUsd);
        // The digest is of every byte that was sent, and absent where all of that was the gateway's own, or nothing was.
        if (receipt.answerDigest !== undefined)
          expect(receipt.answerDigest).toBe(digestBody(sent, { key: digestSecret }, hashes));
        else expect(sent.length === 0 || receipt.refusal !== undefined).toBe(true);
        if (receipt.answerDigest === undefined && receipt.status === 200) expect(sent.length).toBe(0);
        if (receipt.end === "completed" && receipt.status === 200 && receipt.usageSource !== "estimated")
          expect(["reported", "held"]).toContain(receipt.usageSource);
        if (each.fault === "none" && each.answer.name === "a chat stream" && receipt.status === 200)
          expect(receipt).toMatchObject({ end: "completed", chargedTokens: 30 });
      }),
      { numRuns: 300, endOnFailure: false },
    );
  }, 60_000);
});
