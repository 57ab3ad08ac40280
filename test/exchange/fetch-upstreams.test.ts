import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WorkerTransport } from "../../src/runtime/worker/transport.ts";
import { Gate } from "./gate.ts";

const upstreams = setupServer();
const azure = "https://:region.upstream.test/openai/deployments/:deployment/chat/completions";
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
const whole = {
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "gpt-test",
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
  usage,
};

function events(...data: readonly unknown[]): string {
  return data.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`).join("");
}

/** The transport of the edge runtime, whose upstreams are behind `fetch`. */
describe("the data path over fetch", () => {
  const gates: Gate[] = [];

  beforeAll(() => upstreams.listen());
  afterEach(() => {
    upstreams.resetHandlers();
    for (const gate of gates.splice(0)) gate.close();
  });
  afterAll(() => upstreams.close());

  async function open(): Promise<Gate> {
    const gate = await Gate.open({ ports: { transport: new WorkerTransport((request) => fetch(request)) } });
    gates.push(gate);
    return gate;
  }

  it("asks the permitted deployment by its own name, with its own credential and nothing of the client's", async () => {
    const seen: { readonly url: string; readonly headers: Headers; readonly body: unknown }[] = [];
    upstreams.use(
      http.post(azure, async ({ request }) => {
        seen.push({ url: request.url, headers: request.headers, body: await request.json() });
        return HttpResponse.json(whole, { headers: { "x-ms-region": "Southeast Asia", "x-ratelimit-remaining-tokens": "7" } });
      }),
    );
    const gate = await open();
    const asked = gate.ask({
      headers: { traceparent: "00-11111111111111111111111111111111-2222222222222222-01", baggage: "a=b", cookie: "c=d" },
      body: { model: "gpt-test", messages: [{ role: "user", content: "hello" }] },
    });
    await asked.done;
    expect(asked.outbound.status).toBe(200);
    expect(asked.json["usage"]).toEqual(usage);
    expect(asked.outbound.header("x-ratelimit-remaining-tokens")).toBeUndefined();
    expect(seen).toHaveLength(1);
    const [{ url, headers, body } = { url: "", headers: new Headers(), body: {} }] = seen;
    expect(url).toMatch(
      /^https:\/\/(sea|swe)\.upstream\.test\/openai\/deployments\/up-(aaa|bbb)\/chat\/completions\?api-version=2025-01-01$/,
    );
    expect(headers.get("api-key")).toMatch(/^upstream-secret-(sea|swe)$/);
    for (const name of ["authorization", "traceparent", "baggage", "cookie"]) expect(headers.get(name)).toBeNull();
    expect(body).toMatchObject({ model: expect.stringMatching(/^up-(aaa|bbb)$/) as string });
    expect(await gate.receiptOf(asked)).toMatchObject({ end: "completed", chargedTokens: 5, status: 200 });
  });

  it("streams, hides the usage that the client did not ask for, and settles by it", async () => {
    const chunk = { id: "c", object: "chat.completion.chunk", model: "gpt-test", usage: null };
    const choice = { index: 0, delta: { content: "Hi" }, finish_reason: null };
    const stream = events(
      { ...chunk, choices: [choice] },
      { ...chunk, choices: [{ ...choice, delta: {}, finish_reason: "stop" }] },
      { ...chunk, choices: [], usage },
      "[DONE]",
    );
    upstreams.use(http.post(azure, () => new HttpResponse(stream, { headers: { "content-type": "text/event-stream" } })));
    const gate = await open();
    const asked = gate.ask();
    await asked.done;
    expect(asked.outbound.text).toContain('"content":"Hi"');
    expect(asked.outbound.text).not.toContain("prompt_tokens");
    expect(asked.outbound.text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(await gate.receiptOf(asked)).toMatchObject({ end: "completed", chargedTokens: 5, usageSource: "reported" });
  });

  it("goes to the permit's other deployment when one answers 503, and to no other host", async () => {
    const hosts: string[] = [];
    upstreams.use(
      http.post(azure, ({ request }) => {
        hosts.push(new URL(request.url).hostname);
        return hosts.length === 1 ? new HttpResponse("full", { status: 503 }) : HttpResponse.json(whole);
      }),
    );
    const gate = await open();
    const asked = gate.ask({ body: { model: "gpt-test", messages: [{ role: "user", content: "hello" }] } });
    await asked.done;
    expect(asked.outbound.status).toBe(200);
    expect(hosts.toSorted()).toEqual(["sea.upstream.test", "swe.upstream.test"]);
  });

  it("follows no redirect, wherever it leads", async () => {
    let strayed = 0;
    upstreams.use(
      http.post(azure, () => new HttpResponse(null, { status: 307, headers: { location: "https://elsewhere.test/" } })),
      http.all("https://elsewhere.test/*", () => {
        strayed++;
        return HttpResponse.json(whole);
      }),
    );
    const gate = await open();
    const asked = gate.ask({ body: { model: "gpt-test", messages: [{ role: "user", content: "hello" }] } });
    await asked.done;
    expect(asked.outbound.status).toBe(502);
    expect(strayed).toBe(0);
  });

  it("says 502 where no upstream can be reached, and charges nothing", async () => {
    upstreams.use(http.post(azure, () => HttpResponse.error()));
    const gate = await open();
    const asked = gate.ask({ body: { model: "gpt-test", messages: [{ role: "user", content: "hello" }] } });
    await asked.done;
    expect(asked.outbound.status).toBe(502);
    expect(await gate.receiptOf(asked)).toMatchObject({ chargedTokens: 0, end: "upstream_failed" });
  });
});
