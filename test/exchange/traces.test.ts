import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { AlwaysOffSampler, type ReadableSpan } from "@opentelemetry/sdk-trace";
import { describe, expect, it } from "vitest";
import { eventStream, json } from "../support/scripted-transport.ts";
import { openaiChat, sse } from "../upstream/streams.ts";
import type { Gate, GateOptions } from "./gate.ts";
import { gateOpener } from "./open-gates.ts";

const open = gateOpener();

const whole = sse(openaiChat);
const rootOf = (gate: Gate): ReadableSpan => {
  const roots = gate.spans().filter(({ kind }) => kind === SpanKind.SERVER);
  expect(roots).toHaveLength(1);
  return roots[0] as ReadableSpan;
};
const named = (gate: Gate, name: string): ReadableSpan[] => gate.spans().filter((span) => span.name === name);

describe("the spans of an exchange", () => {
  it("are one server span with a child for each step and attempt, and all of them end", async () => {
    const gate = await open();
    const asked = await gate.reached();
    gate.transport.play = (call) => call.answer(200, eventStream, whole);
    gate.transport.last.answer(500, json, "{}");
    await gate.finished(asked);
    const root = rootOf(gate);
    expect(root.name).toBe("POST /v1/chat/completions");
    expect(root.parentSpanContext).toBeUndefined();
    const children = gate.spans().filter((span) => span !== root);
    expect(children.map(({ name }) => name).sort()).toEqual(
      ["chat gpt-test", "chat gpt-test", "strait.authenticate", "strait.authorise", "strait.reserve", "strait.settle"].sort(),
    );
    for (const child of children) {
      expect(child.parentSpanContext?.spanId).toBe(root.spanContext().spanId);
      expect(child.spanContext().traceId).toBe(root.spanContext().traceId);
    }
    const attempts = named(gate, "chat gpt-test");
    expect(
      attempts.map(({ kind, status, attributes }) => [
        kind,
        status.code,
        attributes["strait.attempt"],
        attributes["http.response.status_code"],
        attributes["strait.attempt.outcome"],
      ]),
    ).toEqual([
      [SpanKind.CLIENT, SpanStatusCode.ERROR, 1, 500, "status_500"],
      [SpanKind.CLIENT, SpanStatusCode.UNSET, 2, 200, "answered"],
    ]);
    expect(root.status.code).toBe(SpanStatusCode.UNSET);
    expect(root.attributes).toMatchObject({
      "http.request.method": "POST",
      "http.route": "/v1/chat/completions",
      "http.response.status_code": 200,
      "gen_ai.operation.name": "chat",
      "gen_ai.request.model": "gpt-test",
      "gen_ai.response.model": "gpt-served",
      "gen_ai.usage.input_tokens": 21,
      "gen_ai.usage.output_tokens": 9,
      "strait.tenant.id": "acme",
      "strait.end": "completed",
      "strait.request.id": asked.requestId,
    });
    expect((await gate.receiptOf(asked))?.traceId).toBe(root.spanContext().traceId);
  });

  it("end with the stream, not with its head", async () => {
    const gate = await open();
    const asked = await gate.reached();
    gate.transport.last.connected().head(200, eventStream).data(whole.slice(0, -14));
    await gate.settle();
    expect(asked.outbound.status).toBe(200);
    expect(gate.spans().filter(({ kind }) => kind === SpanKind.SERVER)).toEqual([]);
    gate.transport.last.data(whole.slice(-14)).end();
    await gate.finished(asked);
    expect(rootOf(gate).ended).toBe(true);
  });

  it("begin a new trace, with the client's as a link and nothing of its baggage", async () => {
    const gate = await open();
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const asked = await gate.reached({ headers: { traceparent, tracestate: "vendor=1", baggage: "user=planted-baggage" } });
    gate.transport.last.answer(200, eventStream, whole);
    await gate.finished(asked);
    const root = rootOf(gate);
    expect(root.spanContext().traceId).not.toBe("a".repeat(32));
    expect(root.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([["a".repeat(32), "b".repeat(16)]]);
    const upstream = gate.transport.last.request.headers.join("\n");
    expect(upstream).not.toMatch(/trace|baggage|planted/);
  });

  it.each(["", "nonsense", `00-${"0".repeat(32)}-${"b".repeat(16)}-01`, `00-${"a".repeat(31)}-${"b".repeat(16)}-01`])(
    "take no link from a traceparent that is none: %j",
    async (traceparent) => {
      const gate = await open();
      await gate.finished(gate.ask({ key: "", headers: { traceparent } }));
      expect(rootOf(gate).links).toEqual([]);
    },
  );

  it("call a refused request no error of the server's, and name the refusal and the step", async () => {
    const gate = await open();
    await gate.finished(gate.ask({ body: { model: "claude-test", messages: [{ role: "user", content: "x" }] } }));
    const root = rootOf(gate);
    expect(root.status.code).toBe(SpanStatusCode.UNSET);
    expect(root.attributes).toMatchObject({
      "http.response.status_code": 404,
      "error.type": expect.stringMatching(/served|found/) as string,
    });
    expect(named(gate, "strait.authorise")[0]?.attributes["strait.refusal.kind"]).toBe(root.attributes["error.type"]);
    expect(named(gate, "strait.reserve")).toEqual([]);
  });

  it.each([
    [
      "an upstream that cannot be reached",
      (gate: Gate): void => void (gate.transport.play = (call): unknown => call.fail("connect")),
      502,
      "upstream_failed",
    ],
    [
      "an answer cut short",
      (gate: Gate): void =>
        void (gate.transport.play = (call): unknown => call.answer(200, eventStream, sse(openaiChat.slice(0, 2)))),
      undefined,
      "upstream_cut_off",
    ],
  ] as const)("call %s an error", async (_name, prepare, status, type) => {
    const gate = await open();
    prepare(gate);
    await gate.finished(gate.ask());
    const root = rootOf(gate);
    expect(root.status.code).toBe(SpanStatusCode.ERROR);
    expect(root.attributes["error.type"]).toBe(type);
    if (status !== undefined) expect(root.attributes["http.response.status_code"]).toBe(status);
  });

  it("call a client that left no error, and no answered status", async () => {
    const gate = await open();
    const asked = await gate.reached();
    asked.inbound.hangUp();
    await gate.finished(asked);
    const root = rootOf(gate);
    expect(root.status.code).toBe(SpanStatusCode.UNSET);
    expect(root.attributes["strait.end"]).toBe("client_cancelled");
    expect(root.attributes["http.response.status_code"]).toBeUndefined();
    expect(root.attributes["error.type"]).toBeUndefined();
  });

  it("are not made under a root that is not sampled", async () => {
    const gate = await open({ sampler: new AlwaysOffSampler() });
    const asked = await gate.reached();
    gate.transport.last.answer(200, eventStream, whole);
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(200);
    expect(gate.spans()).toEqual([]);
  });
});

describe("what is planted in a request", () => {
  const prompt = "planted-prompt-7f3a";
  const secret = "planted-upstream-words-55e1";
  const answerText = "planted-answer-90cc";

  const plantedAnswer = sse([
    { id: "chatcmpl-1", model: "m", choices: [{ index: 0, delta: { role: "assistant", content: "" } }] },
    { id: "chatcmpl-1", model: "m", choices: [{ index: 0, delta: { content: answerText } }] },
    { id: "chatcmpl-1", model: "m", choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } },
    "[DONE]",
  ]);

  const ways: readonly (readonly [string, GateOptions["play"], boolean])[] = [
    ["answered", (call) => call.answer(200, eventStream, plantedAnswer), false],
    ["answered in error", (call) => call.answer(500, json, JSON.stringify({ error: { message: `${secret} ${prompt}` } })), true],
    ["full", (call) => call.answer(429, [...json, "x-hidden", secret], secret), true],
    ["redirected", (call) => call.answer(302, ["location", `https://${secret}.test`], secret), true],
    [
      "refused in its stream",
      (call) =>
        call
          .connected()
          .head(200, eventStream)
          .data(sse([{ error: { code: "server_error", message: `${secret} ${prompt}` } }])),
      true,
    ],
    ["cut off", (call) => call.connected().head(200, json).data(`{"${secret}`).end(), true],
    ["not reached", (call) => call.fail("connect"), true],
    [
      "broken in mid-stream",
      (call) =>
        call
          .connected()
          .head(200, eventStream)
          .data(`${plantedAnswer.slice(0, 250)}data: {"error":{"message":"${secret}"}}\n\n`)
          .fail(),
      true,
    ],
  ];

  it.each(ways)(
    "is in no span, log line or receipt of one that is %s, nor are keys and credentials",
    async (_name, play, failed) => {
      const gate = await open(play === undefined ? {} : { play });
      const body = {
        model: "gpt-test",
        stream: true,
        max_tokens: 10,
        messages: [
          { role: "system", content: prompt },
          { role: "user", content: [{ type: "text", text: prompt }] },
        ],
        user: `user-${prompt}`,
        metadata: { note: prompt },
        tools: [{ type: "function", function: { name: "f", description: prompt } }],
      };
      const headers = {
        "x-forwarded-for": prompt,
        cookie: prompt,
        "user-agent": prompt,
        referer: prompt,
        "openai-organization": prompt,
      };
      const asked = await gate.finished(gate.ask({ body, headers, query: `note=${prompt}` }));
      const { receipt } = gate.closed[0] ?? {};
      const seen = JSON.stringify([
        gate.spans().map(({ name, attributes, events, links, status }) => ({ name, attributes, events, links, status })),
        gate.logged,
        receipt,
        await gate.stores.journal.list("acme", undefined, 10),
      ]);
      expect(seen).toContain("acme");
      for (const planted of [prompt, secret, answerText, gate.key, gate.key.slice(-20), "upstream-secret-"])
        expect(seen).not.toContain(planted);
      // What the upstream says of itself is not for the client either, nor is the credential.
      if (failed) for (const planted of [secret, "upstream-secret-", prompt]) expect(asked.outbound.text).not.toContain(planted);
      expect(asked.outbound.headers.join("\n")).not.toMatch(/planted|upstream-secret/);
      // And of the client's headers, nothing but what the wire asks for goes upstream.
      for (const { request } of gate.transport.calls) {
        expect(request.headers.join("\n")).not.toMatch(/planted/);
        expect(request.headers.join("\n")).not.toContain(gate.key);
        expect(request.path).not.toContain("planted");
      }
    },
  );

  it.each([
    ["a body that is no JSON", { body: `{"model":"gpt-test","messages":[{"content":"${prompt}"} oops` }],
    ["a body with a wrong field", { body: { model: "gpt-test", messages: prompt, max_tokens: prompt } }],
    ["a key that is none", { key: `sk-strait-acme-aaaaaaaa-${prompt}` }],
    ["a token that is none", { key: `eyJhbGciOiJIUzI1NiJ9.${prompt}.${prompt}` }],
  ])("is in no span and no log line of a request refused for %s", async (_name, ask) => {
    const gate = await open();
    const asked = await gate.finished(gate.ask(ask));
    expect(asked.outbound.status).toBeGreaterThanOrEqual(400);
    const seen = JSON.stringify([
      gate.spans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
      gate.logged,
    ]);
    expect(seen).toContain("/v1/chat/completions");
    expect(seen).not.toContain(prompt);
    expect(asked.outbound.text).not.toContain(prompt);
  });
});
