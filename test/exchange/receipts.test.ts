import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { RefusalReceipt } from "../../src/ledger/receipt.ts";
import type { World } from "../../src/policy/world.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import { eventStream, json } from "../support/scripted-transport.ts";
import { openaiChat, sse } from "../upstream/streams.ts";
import { ruleOf } from "../policy/policy-fixture.ts";
import { digestSecret, openPolicy, tenant } from "../support/permits.ts";
import { catalogue, settings, type Asked, type Gate } from "./gate.ts";
import { gateOpener } from "./open-gates.ts";

const open = gateOpener();

function digestOf(text: string): string {
  return `hmac-sha256:${createHmac("sha256", digestSecret).update(text).digest("hex")}`;
}

const document = JSON.stringify({ id: "1", model: "m", choices: [], usage: { prompt_tokens: 12, completion_tokens: 5 } });
const plain = JSON.stringify({ model: "gpt-test", messages: [{ role: "user", content: "hello" }], max_tokens: 50 });

async function refusalOf(gate: Gate, asked: Asked): Promise<RefusalReceipt | undefined> {
  return gate.stores.refusals.find(tenant.id, asked.requestId);
}

describe("a receipt's digests", () => {
  it("are of the request and the answer as they went over the wire, under the tenant's own key", async () => {
    const gate = await open();
    const asked = await gate.reached({ body: plain });
    gate.transport.last.answer(200, json, document);
    await gate.finished(asked);
    expect(await gate.receiptOf(asked)).toMatchObject({
      digestKeyId: "dk_1",
      requestDigest: digestOf(plain),
      answerDigest: digestOf(asked.outbound.text),
    });
  });

  it("are of a stream's bytes as the client got them, with the keep-alives in between", async () => {
    const gate = await open();
    const asked = await gate.reached();
    const [first = "", second = ""] = openaiChat.map((event) => sse([event]));
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(first + second);
    await gate.settle();
    await gate.clock.pass(settings.keepAliveMs + 1);
    expect(asked.outbound.text.length).toBeGreaterThan(first.length + second.length);
    gate.transport.last.data(sse(openaiChat.slice(2))).end();
    await gate.finished(asked);
    expect((await gate.receiptOf(asked))?.answerDigest).toBe(digestOf(asked.outbound.text));
  });

  it("are of as much as a client got that left; of a stream that broke, with the event that says so", async () => {
    const gate = await open();
    const [first = "", second = ""] = openaiChat.map((event) => sse([event]));
    const left = await gate.reached();
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(first + second);
    await gate.settle();
    left.inbound.hangUp();
    await gate.finished(left);
    expect(await gate.receiptOf(left)).toMatchObject({ end: "client_cancelled", answerDigest: digestOf(first + second) });
    const broken = await gate.reached();
    gate.transport.last
      .connected()
      .head(200, eventStream)
      .data(first + second);
    await gate.settle();
    gate.transport.last.end();
    await gate.finished(broken);
    expect(broken.outbound.text).toContain("error");
    expect(await gate.receiptOf(broken)).toMatchObject({
      end: "upstream_failed",
      answerDigest: digestOf(broken.outbound.text),
    });
    expect(await gate.receiptOf(broken)).toMatchObject({ refusal: { kind: "upstream_cut_off" } });
  });
});

describe("a receipt", () => {
  it("says who it was for, by what it was decided, and where it went, without a word of the prompt", async () => {
    const gate = await open();
    const asked = await gate.reached({ body: plain });
    const { origin } = gate.transport.last.request;
    gate.transport.last.answer(200, json, document);
    await gate.finished(asked);
    const receipt = await gate.receiptOf(asked);
    expect(receipt).toMatchObject({
      schema: "strait.receipt.v2",
      legalEntity: tenant.name,
      inputs: { model: "gpt-test", surface: "chat.completions", tenant: { state: "verified" } },
      endpointHost: new URL(origin).host,
      candidatesRefused: expect.any(Array),
    });
    expect(JSON.stringify(receipt)).not.toContain("hello");
  });
});

describe("a refusal before anything was held", () => {
  const once: LimitSetting = {
    name: "once",
    unit: "requests",
    window: "day",
    ceiling: 1,
    burst: undefined,
    key: undefined,
    model: undefined,
  };

  it("is recorded with its reason before the client is told, whichever step refused", async () => {
    const gate = await open({ limits: [once] });
    const served = await gate.reached({ body: plain });
    gate.transport.last.answer(200, json, document);
    await gate.finished(served);
    for (const [ask, kind, known] of [
      [{ body: "{" }, "invalid_json", { requestDigest: digestOf("{") }],
      [{ body: '{"model":"none","messages":[{"role":"user","content":"a"}]}' }, "model_not_found", { modelAsked: "none" }],
      [{ body: plain }, "limit_reached", { modelAsked: "gpt-test", requestDigest: digestOf(plain), candidatesRefused: [] }],
    ] as const) {
      const asked = gate.ask(ask);
      let recordedAtTheEnd: Promise<RefusalReceipt | undefined> | undefined;
      asked.outbound.onEnded = () => void (recordedAtTheEnd = refusalOf(gate, asked));
      await gate.finished(asked);
      const recorded = await recordedAtTheEnd;
      expect(recorded).toMatchObject({ end: "refused", refusal: { kind }, keyId: gate.keyId, status: asked.outbound.status });
      expect(recorded).toMatchObject(known);
    }
    expect(await gate.stores.journal.list(tenant.id, undefined, 10)).toHaveLength(1);
  });

  it("names the policy that refused, though another one is in force by the time it is recorded", async () => {
    const closed = { ...openPolicy, digest: "closed", rules: [ruleOf("withdrawal", { openTo: undefined })] };
    let asked = 0;
    const world = (): World => ({ catalogue, policy: asked++ === 0 ? closed : openPolicy });
    const gate = await open({ ports: { world } });
    const refused = await gate.finished(gate.ask({ body: plain }));
    expect(asked).toBeGreaterThan(1);
    expect(await refusalOf(gate, refused)).toMatchObject({ policyDigest: "closed", refusal: { kind: "policy_denied" } });
  });

  it("names the quarantine where all that it leaves has no credential here, and tells no client to try again", async () => {
    const [usable, ...others] = [...catalogue.deployments.values()].filter(({ model }) => model.id === "gpt-test");
    expect(others.length).toBeGreaterThan(0);
    const gate = await open({
      ports: { credentials: ({ id }) => (id === usable?.region.id ? "secret" : undefined) },
    });
    const order = { id: "order-1", scope: { deployment: usable?.id }, reason: "quarantined: elsewhere", by: "gateway" };
    await gate.revocations.issue({ ...order, issuedAtMs: gate.clock.nowMs(), expiresAtMs: undefined, restored: undefined });
    const asked = await gate.finished(gate.ask({ body: plain }));
    expect([asked.outbound.status, asked.json.error?.code]).toEqual([503, "quarantined"]);
    expect(asked.outbound.header("x-should-retry")).toBe("false");
    expect(await refusalOf(gate, asked)).toMatchObject({ refusal: { kind: "quarantined", reasons: ["order-1"] } });
  });

  it("of a tenant that proved who it is and is not let in is recorded too; who is nobody leaves none", async () => {
    const gate = await open();
    const entry = gate.stores.directory.find(tenant.id);
    if (entry === undefined || "then" in entry) throw new Error("no entry");
    const verification = { ...entry.tenant.verification, state: "suspended" as const };
    const audit = { id: "a", at: tenant.createdAt, actor: "test", action: "tenant.suspend", tenantId: tenant.id, detail: {} };
    await gate.stores.directory.save({ ...entry, revision: 2, tenant: { ...entry.tenant, verification } }, audit);
    const suspended = await gate.finished(gate.ask({ body: plain }));
    expect(await refusalOf(gate, suspended)).toMatchObject({
      refusal: { kind: "tenant_not_verified", reasons: ["suspended"] },
      inputs: { model: null, surface: "chat.completions", tenant: { state: "suspended", registeredCountry: expect.anything() } },
    });
    const nobody = await gate.finished(gate.ask({ body: plain, key: "" }));
    expect(nobody.outbound.status).toBe(401);
    expect(await refusalOf(gate, nobody)).toBeUndefined();
  });

  it("that cannot be recorded is answered as the store's outage", async () => {
    const refusals = { append: () => Promise.reject(new StoreUnavailable("away")), find: () => Promise.resolve(undefined) };
    const gate = await open({ ports: { refusals } });
    const asked = await gate.finished(gate.ask({ body: '{"model":"none","messages":[{"role":"user","content":"a"}]}' }));
    expect(asked.outbound.status).toBe(503);
  });
});
