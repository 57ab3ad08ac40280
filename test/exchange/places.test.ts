import { describe, expect, it, vi } from "vitest";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { Learning } from "../../src/quota/learning.ts";
import { catalogueOf, claude, deployment, model, region } from "../support/catalogue.ts";
import { settled } from "../support/fake-clock.ts";
import { eventStream, json, type ScriptedCall } from "../support/scripted-transport.ts";
import { messages, namedSse, openaiChat, sse } from "../upstream/streams.ts";
import { order } from "../revocation/orders.ts";
import { place, type Asked, type Gate } from "./gate.ts";
import { gateOpener } from "./open-gates.ts";

const open = gateOpener({ limits: [] });

const body = { model: "gpt-test", messages: [{ role: "user", content: "hi" }], max_tokens: 50 };
const document = JSON.stringify({
  id: "x",
  model: "gpt-served",
  usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
});
const elsewhere = ["x-ms-region", "Elsewhere"] as const;
const claudeBody = {
  path: "/v1/messages",
  body: { model: "claude-test", max_tokens: 9, messages: [{ role: "user", content: "hi" }] },
};

async function receiptOf(gate: Gate, asked: Asked): Promise<Receipt> {
  await gate.finished(asked);
  const receipt = await gate.receiptOf(asked);
  if (receipt === undefined) throw new Error("there is no receipt");
  return receipt;
}

/** A stream whose first event says this of its place, or nothing. */
const streamFrom = (inferenceGeo: string | undefined): string =>
  namedSse(
    messages({ input_tokens: 9, ...(inferenceGeo === undefined ? {} : { inference_geo: inferenceGeo }) }, { output_tokens: 3 }),
  );
const claudeUs = catalogueOf([
  deployment("ccc", { region: region("claude-us", "US", "anthropic"), model: claude, evidence: "attested", inferenceGeo: "us" }),
]);
const claudeStream = { ...claudeBody, body: { ...claudeBody.body, stream: true } };

/** Event by event, so that what may be shown is shown. */
async function play(gate: Gate, events: ReturnType<typeof messages>): Promise<void> {
  gate.transport.last.connected().head(200, eventStream);
  for (const event of events) {
    gate.transport.last.data(namedSse([event]));
    await settled();
  }
}

describe("an answer from elsewhere than declared", () => {
  it("is withheld, and another deployment of the permit is asked; the receipt says where the prompt has been", async () => {
    const gate = await open();
    let first: string | undefined;
    gate.transport.play = (call: ScriptedCall, number) => {
      first ??= call.request.origin;
      call.answer(200, number === 1 ? [...json, ...elsewhere] : json, document);
    };
    const asked = await gate.reached({ body });
    const receipt = await receiptOf(gate, asked);
    expect(asked.outbound.status).toBe(200);
    expect(receipt.attempts.map(({ outcome }) => outcome)).toEqual(["place_mismatch", "answered"]);
    expect(receipt.attempts[0]?.mismatch).toContain("Elsewhere");
    expect(receipt.evidenceConflict).toBeUndefined();
    expect(receipt.evidenceGrade).toBe("contractual-geography");
    expect(first).not.toContain(receipt.region);
  });

  it("is an error where nobody else may answer, costs nothing, and raises the alarm", async () => {
    const gate = await open({ catalogue: catalogueOf([deployment("aaa", { region: place })]) });
    gate.transport.play = (call) => call.answer(200, [...json, ...elsewhere], document);
    const asked = await gate.reached({ body });
    const receipt = await receiptOf(gate, asked);
    expect(asked.outbound.status).toBe(502);
    expect(asked.outbound.text).toContain("place_mismatch");
    expect(asked.outbound.text).not.toContain("Elsewhere");
    expect(receipt).toMatchObject({
      status: 502,
      end: "upstream_failed",
      evidenceGrade: "none",
      chargedTokens: 0,
      costMicroUsd: 0,
    });
    expect(receipt.evidenceConflict).toContain("Elsewhere");
    const alarm = gate.logged.find(({ level }) => level === "error");
    expect(alarm?.fields).toMatchObject({ deployment: "sea/aaa", requestId: receipt.requestId });
    const span = gate.spans().find(({ events }) => events.length > 0);
    expect(span?.events[0]).toMatchObject({ name: "strait.place_mismatch", attributes: { "strait.deployment": "sea/aaa" } });
  });

  it("is told to the client only when every replica can know that the deployment is out of use", async () => {
    const quarantined = Promise.withResolvers<void>();
    const gate = await open({ catalogue: catalogueOf([deployment("aaa", { region: place })]) });
    Object.assign(gate.placeAlarm, { raise: () => quarantined.promise });
    gate.transport.play = (call) => call.answer(200, [...json, ...elsewhere], document);
    const asked = await gate.reached({ body });
    await gate.settle();
    expect(asked.outbound.status).toBeUndefined();
    quarantined.resolve();
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(502);
  });

  it("takes the deployment out of use until an operator restores it", async () => {
    const gate = await open({ catalogue: catalogueOf([deployment("aaa", { region: place })]) });
    gate.transport.play = (call, number) => call.answer(200, number === 1 ? [...json, ...elsewhere] : json, document);
    await gate.finished(await gate.reached({ body }));
    const refused = gate.ask({ body });
    await gate.finished(refused);
    expect(refused.outbound.status).toBe(503);
    expect(refused.outbound.header("x-should-retry")).toBe("false");
    expect(refused.outbound.header("retry-after")).toBeUndefined();
    expect(refused.json.error).toMatchObject({ code: "quarantined", message: expect.stringContaining("contradicted") });
    expect(gate.transport.calls).toHaveLength(1);
    const [order] = gate.revocations.list();
    if (order === undefined) throw new Error("nothing is quarantined");
    expect(order).toMatchObject({
      by: "gateway",
      scope: { deployment: "sea/aaa" },
      reason: expect.stringContaining("Elsewhere"),
    });
    await gate.revocations.issue({ ...order, restored: { atMs: gate.clock.nowMs(), by: "operator" } });
    const again = await gate.reached({ body });
    await gate.finished(again);
    expect(again.outbound.status).toBe(200);
  });

  it("cuts what others have open there, and says that it was no operator", async () => {
    const gate = await open({ catalogue: catalogueOf([deployment("aaa", { region: place })]) });
    const other = await gate.reached({ body: { ...body, stream: true } });
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(sse(openaiChat.slice(0, 2)));
    await gate.settle();
    const liar = await gate.reached({ body });
    gate.transport.last.answer(200, [...json, ...elsewhere], document);
    await gate.finished(liar);
    const receipt = await receiptOf(gate, other);
    expect(other.outbound.text).toContain('"code":"quarantined"');
    expect(other.outbound.text).toContain("Try again");
    expect(other.outbound.text).not.toContain("withdrawn");
    expect(receipt).toMatchObject({ end: "revoked", revokedBy: "order-sea/aaa", refusal: { kind: "quarantined" } });
  });

  it("is told as an operator's doing where the operator's orders alone leave nothing", async () => {
    const gate = await open();
    const quarantine = order("q", { deployment: "sea/aaa" }, { by: "gateway" });
    gate.revocations.learn([quarantine, order("1", { region: "swe" })], "test");
    const mixed = await gate.finished(gate.ask({ body }));
    expect(mixed.json.error).toMatchObject({ code: "quarantined", message: expect.stringContaining(quarantine.id) });
    gate.revocations.learn([order("2", { country: "SG" })], "test");
    const operators = await gate.finished(gate.ask({ body }));
    expect([operators.outbound.status, operators.json.error?.code]).toEqual([403, "revoked"]);
  });

  it("is found in errors as well, for the prompt has been there", async () => {
    const gate = await open({ catalogue: catalogueOf([deployment("aaa", { region: place })]) });
    gate.transport.play = (call) => call.answer(400, [...json, ...elsewhere], '{"error":{"message":"no"}}');
    const asked = await gate.reached({ body });
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(502);
    expect(gate.revocations.list()).toHaveLength(1);
  });

  it("is withheld before its content where a stream's first event tells", async () => {
    const gate = await open({ catalogue: claudeUs });
    gate.transport.play = (call) => call.answer(200, eventStream, streamFrom("global"));
    const asked = await gate.reached(claudeStream);
    const receipt = await receiptOf(gate, asked);
    expect(asked.outbound.status).toBe(502);
    expect(receipt.attempts.map(({ outcome }) => outcome)).toEqual(["place_mismatch"]);
  });

  it("ends in an error event where nothing attests its place though the grade demands it", async () => {
    const gate = await open({ catalogue: claudeUs });
    const asked = await gate.reached(claudeStream);
    await play(gate, messages({ input_tokens: 9 }, { output_tokens: 3 }));
    gate.transport.last.end();
    const receipt = await receiptOf(gate, asked);
    expect(asked.outbound.status).toBe(200);
    expect(asked.outbound.text).toContain("event: error");
    expect(asked.outbound.text).not.toContain("message_stop");
    expect(receipt).toMatchObject({ end: "upstream_failed", evidenceGrade: "none" });
    expect(receipt.evidenceConflict).toContain("is not said");
    expect(gate.revocations.list()).toHaveLength(1);
  });

  it("teaches nothing of how long answers are, though it said what it used", async () => {
    const learning = new Learning();
    const learn = vi.spyOn(learning, "learn");
    const gate = await open({ catalogue: claudeUs, ports: { learning } });
    const attests = [undefined, "us"];
    for (const geo of attests) {
      const asked = await gate.reached(claudeStream);
      await play(gate, messages({ input_tokens: 9, ...(geo === undefined ? {} : { inference_geo: geo }) }, { output_tokens: 3 }));
      gate.transport.last.end();
      expect(await receiptOf(gate, asked)).toMatchObject({ usageSource: "reported", chargedTokens: 12 });
      expect(learn).toHaveBeenCalledTimes(geo === undefined ? 0 : 1);
      for (const order of gate.revocations.list())
        await gate.revocations.issue({ ...order, restored: { atMs: gate.clock.nowMs(), by: "operator" } });
    }
  });

  it("is an error instead of a whole answer that attests nothing", async () => {
    const gate = await open({ catalogue: claudeUs });
    gate.transport.play = (call) =>
      call.answer(200, json, '{"id":"m","model":"claude-served","usage":{"input_tokens":1,"output_tokens":1}}');
    const asked = await gate.reached(claudeBody);
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(502);
    expect(asked.outbound.text).toContain("api_error");
  });

  it("is let through where it attests the declared place", async () => {
    const gate = await open({ catalogue: claudeUs });
    gate.transport.play = (call) => call.answer(200, eventStream, streamFrom("us"));
    const receipt = await receiptOf(gate, await gate.reached(claudeStream));
    expect(receipt).toMatchObject({ end: "completed", evidenceGrade: "attested" });
  });

  it("that tells so in mid-stream is stopped there", async () => {
    const gate = await open({ catalogue: claudeUs });
    const late = messages({ input_tokens: 9 }, { output_tokens: 3, inference_geo: "global" });
    const asked = await gate.reached(claudeStream);
    await play(gate, late.slice(0, -1));
    const receipt = await receiptOf(gate, asked);
    expect(asked.outbound.text).toContain("speaks");
    expect(asked.outbound.text).toContain("event: error");
    expect(receipt.end).toBe("upstream_failed");
    expect(gate.transport.last.aborts).toBe(1);
  });
});

/** The deployment of `sea` that was asked, and the other one. */
function sidesOf(gate: Gate): readonly [string, string] {
  return gate.transport.last.request.path.includes("up-aaa") ? ["aaa", "bbb"] : ["bbb", "aaa"];
}

function spilled(from: string, to: string): readonly string[] {
  return ["x-ms-deployment-name", `up-${to}`, "x-ms-spillover-from-deployment", `up-${from}`];
}

describe("an answer by another deployment than the one that was asked", () => {
  const two = [
    deployment("aaa", { region: place, weight: 1 }),
    deployment("bbb", { region: place, price: { ...deployment("x").price, outputMicroUsdPerMillion: 80_000_000 } }),
  ];

  it("counts as that one, where it is in the permit: its price, its place, its receipt", async () => {
    const gate = await open({ catalogue: catalogueOf(two) });
    gate.transport.play = (call) => call.answer(200, [...json, ...spilled(...sidesOf(gate))], document);
    const asked = await gate.reached({ body });
    const receipt = await receiptOf(gate, asked);
    expect(asked.outbound.status).toBe(200);
    const [tried, other] = sidesOf(gate);
    expect(receipt.deployment).toBe(`sea/${other}`);
    expect(receipt.attempts[0]?.deployment).toBe(`sea/${tried}`);
    expect(receipt.costMicroUsd).toBe(other === "bbb" ? 424 : 64);
    expect(gate.revocations.list()).toEqual([]);
  });

  it("is a mismatch where that one was taken out of use", async () => {
    const gate = await open({ catalogue: catalogueOf(two) });
    await gate.revocations.issue({
      id: "o",
      scope: { deployment: "sea/bbb" },
      reason: "r",
      by: "operator",
      issuedAtMs: 0,
      expiresAtMs: undefined,
      restored: undefined,
    });
    gate.transport.play = (call) =>
      call.answer(200, [...json, "x-ms-deployment-name", "up-bbb", "x-ms-spillover-from-deployment", "up-aaa"], document);
    const asked = await gate.reached({ body });
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(502);
  });

  it("is withheld where that one was cut off after the request had left for the other", async () => {
    const gate = await open({ catalogue: catalogueOf(two) });
    const asked = await gate.reached({ body });
    const [tried, other] = sidesOf(gate);
    gate.revocations.learn([order("1", { deployment: `sea/${other}` })], "test");
    gate.transport.last.answer(200, [...json, ...spilled(tried, other)], document);
    await gate.finished(asked);
    expect([asked.outbound.status, asked.json.error?.code]).toEqual([502, "place_mismatch"]);
  });

  it("is cut where that one is cut off between the answer's head and its content", async () => {
    const gate = await open({ catalogue: catalogueOf(two) });
    const asked = await gate.reached({ body: { ...body, stream: true } });
    const [tried, other] = sidesOf(gate);
    gate.transport.last.connected().head(200, [...eventStream, ...spilled(tried, other)]);
    gate.revocations.learn([order("1", { deployment: `sea/${other}` })], "test");
    gate.transport.last.data(sse(openaiChat)).end();
    expect(await receiptOf(gate, asked)).toMatchObject({ end: "revoked", revokedBy: "revocation_1" });
    expect(asked.outbound.text).not.toContain("Uhu");
  });

  it("is cut where the model is cut off that a router of models chose, and not where the one is that was asked for", async () => {
    const routed = { ...model, id: "gpt-routed" };
    const places = [
      deployment("aaa", { region: place }),
      deployment("bbb", { region: place, model: routed, upstreamName: "up-b" }),
    ];
    const gate = await open({ catalogue: catalogueOf(places) });
    const asked = await gate.reached({ body: { ...body, stream: true } });
    gate.transport.last.connected().head(200, [...eventStream, "x-ms-served-model", "gpt-routed"]);
    gate.transport.last.data(sse(openaiChat.slice(0, 2)).replaceAll("gpt-served", "gpt-routed"));
    gate.revocations.learn([order("1", { model: "gpt-test" })], "test");
    await gate.settle();
    expect(gate.transport.last.over).toBe(false);
    gate.revocations.learn([order("2", { model: "gpt-routed" })], "test");
    expect(await receiptOf(gate, asked)).toMatchObject({ end: "revoked", revokedBy: "revocation_2" });
  });

  it("leaves the request what it was: the next attempt is refused where the model asked for is cut off", async () => {
    const routed = { ...model, id: "gpt-routed" };
    const swe = region("swe", "SE");
    const places = [place, swe].flatMap((at) => [
      deployment("aaa", { region: at }),
      deployment("bbb", { region: at, model: routed, upstreamName: "up-b" }),
    ]);
    const gate = await open({ catalogue: catalogueOf(places) });
    const asked = await gate.reached({ body });
    gate.transport.last.connected().head(200, [...json, "x-ms-served-model", "gpt-routed"]);
    gate.revocations.learn([order("1", { model: "gpt-test" })], "test");
    gate.transport.last.fail();
    await gate.finished(asked);
    expect(gate.transport.calls).toHaveLength(1);
    expect(asked.json.error?.code).toBe("revoked");
  });

  it("shows in the same way in streams", async () => {
    const gate = await open({ catalogue: catalogueOf([deployment("aaa", { region: place })]) });
    gate.transport.play = (call) =>
      call.answer(
        200,
        eventStream,
        sse([{ id: "c", model: "gpt-unheard", choices: [{ index: 0, delta: { content: "x" } }] }, "[DONE]"]),
      );
    const asked = await gate.reached({ body: { ...body, stream: true } });
    await gate.finished(asked);
    expect(asked.outbound.status).toBe(502);
  });
});
