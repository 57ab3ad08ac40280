import { describe, expect, it } from "vitest";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { catalogueOf, deployment } from "../support/catalogue.ts";
import { eventStream, json } from "../support/scripted-transport.ts";
import { messages, namedSse, openaiChat, responses, sse } from "../upstream/streams.ts";
import { place, settings } from "./gate.ts";
import { gateOpener } from "./open-gates.ts";
import { document, limits, onlyReceipt, plain } from "./one-exchange.ts";

const open = gateOpener();

const [role, first, second] = openaiChat.map((event) => sse([event])) as [string, string, string];

describe("an exchange", () => {
  it("answers a document, charges what was used, and writes where it ran", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached({ body: plain });
    gate.transport.last.answer(
      200,
      [...json, "x-ms-region", "Southeast Asia", "apim-request-id", "up-1", "x-ratelimit-remaining-tokens", "999"],
      document,
    );
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(200);
    expect(asked.outbound.text).toBe(document);
    const host = gate.transport.last.request.origin.includes("sea")
      ? { region: "sea", countries: "SG" }
      : { region: "swe", countries: "SE" };
    expect(asked.outbound.header("x-strait-region")).toBe(host.region);
    expect(asked.outbound.header("x-strait-countries")).toBe(host.countries);
    for (const name of asked.outbound.headers.filter((_, index) => index % 2 === 0)) expect(name).not.toMatch(/^(x-ms-|apim-)/);
    expect(asked.outbound.header("x-ratelimit-remaining-tokens")).not.toBe("999");
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      requestId: asked.requestId,
      keyId: gate.keyId,
      model: "gpt-test",
      ...host,
      evidence: { region: "Southeast Asia", servedModel: "gpt-served", upstreamRequestId: "up-1" },
      evidenceGrade: "contractual-geography",
      policyVersion: "policy-1",
      gatewayPlace: "test-rack",
      attempts: [{ outcome: "answered", status: 200 }],
      status: 200,
      end: "completed",
      usageSource: "reported",
      usage: { inputTokens: 12, outputTokens: 5 },
      chargedTokens: 17,
      // 12 at 2 and 5 at 8 micro-USD.
      costMicroUsd: 64,
    });
  });

  it("sends a stream on as it comes, and closes the books before the client can know that it is over", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + first);
    await gate.settle();
    expect(asked.outbound.text).toBe(role + first);
    expect(asked.outbound.header("content-type")).toBe("text/event-stream");
    expect(gate.open.count).toBe(1);
    let receiptAtTheEnd: Promise<Receipt | undefined> | undefined;
    asked.outbound.onEnded = () => void (receiptAtTheEnd = gate.receiptOf(asked));
    gate.transport.last.data(sse(openaiChat.slice(2))).end();
    await gate.finished(asked);
    // The client did not ask for the usage, so it sees none, though it was asked for upstream.
    expect(asked.outbound.text).toBe(sse(openaiChat.filter((_, index) => index !== 4)));
    expect(JSON.parse(new TextDecoder().decode(gate.transport.last.request.body))).toMatchObject({
      stream_options: { include_usage: true },
    });
    expect((await receiptAtTheEnd)?.end).toBe("completed");
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      end: "completed",
      stream: true,
      status: 200,
      chargedTokens: 30,
      usageSource: "reported",
    });
  });

  it("tells a client of a truncated stream so, in its own dialect, and charges what was seen", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + first + second + 'data: {"ha');
    await gate.settle();
    gate.transport.last.fail();
    await gate.finished(asked);
    expect(asked.outbound.text.startsWith(role + first + second)).toBe(true);
    expect(asked.outbound.text).toContain('"code":"upstream_cut_off"');
    expect(asked.outbound.text).not.toContain("[DONE]");
    expect(asked.outbound.ended).toBe(1);
    const receipt = await onlyReceipt(gate, asked);
    expect(receipt).toMatchObject({ end: "upstream_failed", usageSource: "estimated", status: 200 });
    expect(receipt.chargedTokens).toBeGreaterThan(0);
    expect(receipt.chargedTokens).toBeLessThan(receipt.heldTokens);
  });

  it("leaves a deployment alone that cuts every stream off", async () => {
    const gate = await open({
      catalogue: catalogueOf([deployment("aaa", { region: place })]),
      play: (call) => call.answer(200, eventStream, role + first),
    });
    for (let round = 0; round < 3; round++) await gate.finished(gate.ask());
    const refused = await gate.finished(gate.ask());
    expect(gate.transport.calls).toHaveLength(3);
    expect(refused.outbound.status).toBe(503);
    expect(refused.json.error).toMatchObject({ code: "no_deployment_available" });
  });

  it("breaks a document off that breaks in its middle, so that no client takes it for whole", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached({ body: plain });
    gate.transport.last
      .connected()
      .head(200, json)
      .data(`{"a":"${"x".repeat(5_000)}`);
    await gate.settle();
    expect(asked.outbound.status).toBe(200);
    gate.transport.last.fail();
    await gate.finished(asked);
    expect(asked.outbound).toMatchObject({ ended: 0, cuts: 1 });
    expect(await onlyReceipt(gate, asked)).toMatchObject({ end: "upstream_failed", status: 200 });
  });

  it("turns a document that breaks early into a proper error", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached({ body: plain });
    gate.transport.last.connected().head(200, json).data('{"a":').end();
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(502);
    expect(asked.json.error).toMatchObject({ code: "upstream_cut_off", type: "server_error" });
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      end: "upstream_failed",
      status: 502,
      attempts: [{ outcome: "cut_off" }],
    });
  });

  it("tries elsewhere what was refused inside a stream, and the client sees one good answer", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    gate.transport.play = (call) => call.answer(200, eventStream, sse(openaiChat));
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + sse([{ error: { code: "rate_limit_exceeded" } }]));
    await gate.finished(asked);
    expect(gate.transport.calls).toHaveLength(2);
    expect(asked.outbound.text).toContain("[DONE]");
    expect(asked.outbound.text).not.toContain("rate_limit");
    const receipt = await onlyReceipt(gate, asked);
    expect(receipt.attempts.map(({ outcome }) => outcome)).toEqual(["refused_in_stream:rate_limit_exceeded", "answered"]);
    expect(receipt.chargedTokens).toBe(30);
  });

  it("hands the client what the upstream says of its own request, charged with nothing", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    gate.transport.last.answer(400, [...json, "x-request-id", "up-9"], '{"error":{"message":"bad tool","code":"invalid_tool"}}');
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(400);
    expect(asked.json.error).toMatchObject({ code: "invalid_tool" });
    expect(asked.outbound.header("x-should-retry")).toBe("false");
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      end: "completed",
      status: 400,
      chargedTokens: 0,
      usageSource: "none",
      evidence: { upstreamRequestId: "up-9" },
    });
  });

  it("charges nothing where no upstream was reached, and says that none was", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    gate.transport.play = (call) => call.fail("connect");
    gate.transport.last.fail("connect");
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(502);
    expect(asked.outbound.text).not.toContain("ECONNRESET");
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      end: "upstream_failed",
      status: 502,
      chargedTokens: 0,
      usageSource: "none",
      attempts: [{ outcome: "connect" }, { outcome: "connect" }],
    });
  });

  it("stops the upstream when its client hangs up, before the head and in mid-stream", async () => {
    for (const begun of [false, true]) {
      const gate = await open({ limits });
      const asked = await gate.reached();
      if (begun)
        gate.transport.last
          .connected()
          .head(200, eventStream)
          .data(role + first);
      await gate.settle();
      asked.inbound.hangUp();
      asked.inbound.hangUp();
      await gate.finished(asked);
      expect(gate.transport.last.aborts).toBe(1);
      // No end in good order for half an answer, and no answer for nobody.
      expect(asked.outbound).toMatchObject({ ended: 0, cuts: 1, status: begun ? 200 : undefined });
      const receipt = await onlyReceipt(gate, asked);
      expect(receipt).toMatchObject({
        end: "client_cancelled",
        status: begun ? 200 : undefined,
        usageSource: begun ? "estimated" : "none",
      });
    }
  });

  it("hears an answer out for a moment whose client has left, and charges what its end says", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    const call = gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + first);
    await gate.settle();
    const told = asked.outbound.text;
    asked.inbound.hangUp();
    await gate.clock.pass(settings.hangUpDrainMs - 1);
    expect(call.aborts).toBe(0);
    call.data(sse(openaiChat.slice(2))).end();
    await gate.finished(asked);
    expect(asked.outbound).toMatchObject({ text: told, ended: 0, cuts: 1 });
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      end: "client_cancelled",
      usageSource: "reported",
      chargedTokens: 30,
      status: 200,
    });
  });

  it("hears a whole answer out as well, and begins nothing new for a client that is gone", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached({ body: plain });
    asked.inbound.hangUp();
    gate.transport.last.answer(200, json, document);
    await gate.finished(asked);
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      end: "client_cancelled",
      usageSource: "reported",
      chargedTokens: 17,
      status: undefined,
    });

    const other = await open({ limits });
    const failing = await other.reached({ body: plain });
    failing.inbound.hangUp();
    other.transport.last.fail("connect");
    await other.finished(failing);
    expect(other.transport.calls).toHaveLength(1);
    expect(await onlyReceipt(other, failing)).toMatchObject({ end: "client_cancelled", chargedTokens: 0 });
  });

  it("reads on at full speed from where a slow client has left it", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    asked.outbound.slow = true;
    const call = gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(role + first);
    await gate.settle();
    call.data(second);
    expect(call.paused).toBe(true);
    asked.inbound.hangUp();
    expect(call.paused).toBe(false);
    await gate.clock.pass(settings.hangUpDrainMs);
    expect(call.aborts).toBe(1);
    expect(await onlyReceipt(gate, await gate.finished(asked))).toMatchObject({
      end: "client_cancelled",
      usageSource: "estimated",
    });
  });

  it("ends what is cut by its total deadline, a revocation or a shutdown, with the reason in the stream", async () => {
    for (const [reason, end, code] of [
      ["deadline_passed", "deadline_passed", "upstream_timeout"],
      ["revoked", "revoked", "revoked"],
      ["shutting_down", "deadline_passed", "gateway_restarting"],
    ] as const) {
      const gate = await open({ limits });
      const asked = await gate.reached();
      gate.transport.last
        .connected()
        .head(200, eventStream)
        .data(role + first);
      await gate.settle();
      if (reason === "deadline_passed") {
        for (let waited = 0; waited < settings.deadlines.totalMs; waited += 1_500) {
          if (!asked.isDone) gate.transport.last.data(second);
          await gate.clock.pass(1_500);
        }
      } else if (reason === "revoked") for (const open of gate.open) open.revoke("revocation_test", "revoked");
      else gate.open.cut(reason);
      await gate.finished(asked);
      expect(asked.outbound.text).toContain(code);
      expect(gate.transport.last.aborts).toBe(1);
      expect(await onlyReceipt(gate, asked)).toMatchObject({ end, status: 200, usageSource: "estimated" });
    }
  });

  it("answers an exchange that is cut before its head with the reason's own status", async () => {
    const gate = await open({ limits });
    const asked = await gate.reached();
    gate.transport.last.connected();
    gate.open.cut("shutting_down");
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(503);
    expect(await onlyReceipt(gate, asked)).toMatchObject({ end: "deadline_passed", status: 503 });
  });

  it("speaks Anthropic to Anthropic's clients, with the provider's word of where it ran in the receipt", async () => {
    const gate = await open({ limits });
    const body = { model: "claude-test", max_tokens: 30, stream: true, messages: [{ role: "user", content: "hi" }] };
    const asked = await gate.reached({
      path: "/v1/messages",
      key: "",
      headers: { "x-api-key": gate.key, "anthropic-version": "2023-06-01" },
      body,
    });
    const stream = messages({ input_tokens: 3, output_tokens: 1, inference_geo: "us" }, { output_tokens: 8 });
    gate.transport.last.answer(200, [...eventStream, "request-id", "up-2"], namedSse(stream));
    await gate.finished(asked);
    expect(asked.outbound.text).toBe(namedSse(stream));
    expect(asked.outbound.header("request-id")).toBe(asked.requestId);
    expect(await onlyReceipt(gate, asked)).toMatchObject({
      model: "claude-test",
      evidence: { inferenceGeo: "us", upstreamRequestId: "up-2" },
      chargedTokens: 11,
    });
  });

  it("sends what refers to a stored response to the deployment that made it, and nowhere else", async () => {
    const gate = await open({ limits: [] });
    const body = { model: "gpt-test", input: "hi", stream: true };
    const made = await gate.reached({ path: "/v1/responses", body });
    const { origin } = gate.transport.last.request;
    gate.transport.last.answer(200, eventStream, namedSse(responses("completed")));
    await gate.finished(made);
    gate.transport.play = (call) =>
      call.answer(200, json, '{"id":"resp_2","usage":{"input_tokens":1,"output_tokens":1,"total_tokens":2}}');
    for (let round = 0; round < 8; round++) {
      const next = await gate.reached({
        path: "/v1/responses",
        body: { ...body, stream: false, previous_response_id: "resp_1" },
      });
      await gate.finished(next);
      expect(next.outbound.status).toBe(200);
      expect(gate.transport.last.request.origin).toBe(origin);
    }
    const got = await gate.reached({ method: "GET", path: "/v1/responses/resp_1" });
    await gate.finished(got);
    expect(got.outbound.status).toBe(200);
    expect(gate.transport.last.request).toMatchObject({ method: "GET", origin, body: undefined });
    const unknown = gate.ask({ method: "GET", path: "/v1/responses/resp_unheard" });
    await gate.finished(unknown);
    expect(unknown.outbound.status).toBe(404);
  });

  it("takes the id of an answer that is stored nowhere for no response's", async () => {
    const gate = await open({ limits: [] });
    const made = await gate.reached({ body: plain });
    gate.transport.last.answer(200, json, document);
    await gate.finished(made);
    const { id } = JSON.parse(document) as { readonly id: string };
    const next = await gate.finished(
      gate.ask({ path: "/v1/responses", body: { model: "gpt-test", input: "hi", previous_response_id: id } }),
    );
    expect([next.outbound.status, gate.transport.calls.length]).toEqual([404, 1]);
  });

  it("charges nothing for a stored response, which was paid for when it was made", async () => {
    const gate = await open({ limits: [] });
    const made = await gate.reached({ path: "/v1/responses", body: { model: "gpt-test", input: "hi", stream: true } });
    gate.transport.last.answer(200, eventStream, namedSse(responses("completed")));
    await gate.finished(made);
    gate.transport.play = (call) =>
      call.answer(200, json, '{"id":"resp_1","usage":{"input_tokens":9,"output_tokens":9,"total_tokens":18}}');
    const got = await gate.reached({ method: "GET", path: "/v1/responses/resp_1" });
    await gate.finished(got);
    expect(await gate.receiptOf(got)).toMatchObject({ status: 200, chargedTokens: 0, costMicroUsd: 0, usageSource: "none" });
  });
});
