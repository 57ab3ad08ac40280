import OpenAI from "openai";
import { connect } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { anthropicRegion, chat, eventsOf, putFaults, running } from "./running.ts";

/** A request on a bare socket: every piece as it arrives, and how the connection ended. */
function overSocket(url: string, fields: Readonly<Record<string, unknown>>): Promise<{ pieces: string[]; end: "end" | "reset" }> {
  const body = JSON.stringify({ model: "gpt-4.1", messages: [{ role: "user", content: "hello" }], ...fields });
  return new Promise((resolve) => {
    const pieces: string[] = [];
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.setEncoding("latin1");
    socket.on("data", (piece: string) => void pieces.push(piece));
    socket.on("end", () => resolve({ pieces, end: "end" }));
    socket.on("error", () => resolve({ pieces, end: "reset" }));
    socket.write(
      `POST /openai-eu/v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  });
}

function messages(url: string, fields: Readonly<Record<string, unknown>> = {}): Promise<Response> {
  return fetch(`${url}/anthropic-us/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": "the-right-key", "anthropic-version": "2023-06-01" },
    body: JSON.stringify({
      model: "claude-simulated",
      max_tokens: 50,
      messages: [{ role: "user", content: "hello" }],
      ...fields,
    }),
  });
}

function azureChat(url: string): Promise<Response> {
  return fetch(`${url}/swedencentral/openai/v1/chat/completions`, {
    method: "POST",
    headers: { "api-key": "any" },
    body: JSON.stringify({ model: "our-gpt", messages: [{ role: "user", content: "hello" }] }),
  });
}

describe("faults before the answer", () => {
  it("answers a status in the provider's shape, with its retry advice, as often as told", async () => {
    const { url } = await running();
    await putFaults(url, "openai-eu", [{ kind: "status", status: 429, times: 2, retryAfterSeconds: 3, retryAfterMs: 2500 }]);
    for (let attempt = 0; attempt < 2; attempt++) {
      const refused = await chat(url);
      expect(refused.status).toBe(429);
      expect(refused.headers.get("retry-after")).toBe("3");
      expect(refused.headers.get("retry-after-ms")).toBe("2500");
      expect(await refused.json()).toMatchObject({ error: { type: "requests", code: "rate_limit_exceeded" } });
    }
    expect((await chat(url)).status).toBe(200);
  });

  it("gives each provider's own body for the same status", async () => {
    const { url, simulator } = await running();
    simulator.setFault("anthropic-us", { kind: "status", status: 529 });
    simulator.setFault("swedencentral", { kind: "status", status: 503 });
    expect(await (await messages(url)).json()).toMatchObject({ type: "error", error: { type: "overloaded_error" } });
    expect(await (await azureChat(url)).json()).toMatchObject({ error: { code: "503" } });
  });

  it("makes the official SDK retry as it would against the real provider", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "status", status: 503, times: 1, retryAfterMs: 1 });
    const openai = new OpenAI({ baseURL: `${url}/openai-eu/v1`, apiKey: "any", maxRetries: 1 });
    const answer = await openai.chat.completions.create({ model: "gpt-4.1", messages: [{ role: "user", content: "hello" }] });
    expect(answer.choices[0]?.message.content).toMatch(/^Simulated/);
    expect(simulator.stats("openai-eu").statuses).toEqual({ 200: 1, 503: 1 });
  });

  it("destroys the connection before a byte was sent", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "reset" });
    expect(await overSocket(url, {})).toEqual({ pieces: [], end: "reset" });
    expect(simulator.stats("openai-eu")).toMatchObject({ requests: 1, open: 0, cut: 1 });
  });

  it("stays silent before the head until the client gives up", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "stall" });
    await expect(chat(url, {}, { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/);
    await vi.waitFor(() => expect(simulator.stats("openai-eu")).toMatchObject({ open: 0, cancelled: 1 }));
  });

  it("redirects to where it is told", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "redirect", location: "http://elsewhere.example/v1" });
    const response = await chat(url);
    expect(response.status).toBe(307);
    expect(response.headers.get("location")).toBe("http://elsewhere.example/v1");
  });

  it.each([false, true])("answers garbage under the right content type (stream: %s)", async (stream) => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "garbage" });
    const response = await chat(url, { stream });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe(stream ? "text/event-stream" : "application/json");
    const text = await response.text();
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    expect(text).not.toContain("data:");
  });

  it("waits before the head where it is slow", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "slow", afterMs: 60 });
    const startMs = performance.now();
    await chat(url);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(55);
  });
});

describe("faults in the answer", () => {
  it("destroys the connection after the events it was told, which arrive", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "reset", afterEvents: 4 });
    const { pieces } = await overSocket(url, { stream: true });
    const text = pieces.join("");
    expect(text.match(/^data: /gm)).toHaveLength(4);
    // The chunk that ends a body never came: whoever reads this knows that it was cut.
    expect(text).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(simulator.stats("openai-eu")).toMatchObject({ events: 4, cut: 1, completed: 0, open: 0 });
    await expect(chat(url, { stream: true }).then((response) => response.text())).rejects.toThrow("terminated");
  });

  it("sends the head and then nothing", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "stall", afterEvents: 0 });
    const response = await chat(url, { stream: true }, { signal: AbortSignal.timeout(100) });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow(/timeout|aborted/);
    await vi.waitFor(() => expect(simulator.stats("openai-eu")).toMatchObject({ open: 0, cancelled: 1, events: 0 }));
  });

  it("falls silent in the middle of a stream", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "stall", afterEvents: 3 });
    const controller = new AbortController();
    const response = await chat(url, { stream: true }, { signal: controller.signal });
    await vi.waitFor(() => expect(simulator.stats("openai-eu").events).toBe(3));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(simulator.stats("openai-eu")).toMatchObject({ events: 3, open: 1 });
    controller.abort();
    await expect(response.text()).rejects.toThrow(/abort/);
  });

  it("ends a stream in good order without its terminal event", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "truncation", afterEvents: 5 });
    expect(eventsOf(await (await chat(url, { stream: true })).text())).toHaveLength(5);
    expect(simulator.stats("openai-eu")).toMatchObject({ cut: 1, completed: 0 });
  });

  it("leaves out the terminal event alone where it is told to wait longer than the stream", async () => {
    const { url, simulator } = await running();
    for (const region of ["openai-eu", "anthropic-us"]) simulator.setFault(region, { kind: "truncation", afterEvents: 10_000 });
    const chunks = eventsOf(await (await chat(url, { stream: true })).text());
    expect(chunks.at(-1)).toMatchObject({ choices: [{ finish_reason: "stop" }] });
    const events = eventsOf(await (await messages(url, { stream: true })).text());
    expect(events.at(-1)).toMatchObject({ type: "message_delta" });
  });

  it("cuts a body of JSON short", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "truncation" });
    const text = await (await chat(url)).text();
    expect(text).toMatch(/^\{"id":"chatcmpl-/);
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
  });

  it("sends an error event that the SDKs raise", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "error-mid-stream", afterEvents: 6, code: "server_error", message: "it broke" });
    const openai = new OpenAI({ baseURL: `${url}/openai-eu/v1`, apiKey: "any", maxRetries: 0 });
    const stream = await openai.chat.completions.create({
      model: "gpt-4.1",
      messages: [{ role: "user", content: "hello" }],
      stream: true,
    });
    let seen = 0;
    await expect(
      (async () => {
        for await (const _ of stream) seen++;
      })(),
    ).rejects.toMatchObject({ code: "server_error" });
    expect(seen).toBe(6);
  });

  it("sends Anthropic's error event after a 200", async () => {
    const { url, simulator } = await running();
    simulator.setFault("anthropic-us", {
      kind: "error-mid-stream",
      afterEvents: 2,
      code: "overloaded_error",
      message: "Overloaded",
    });
    const text = await (await messages(url, { stream: true })).text();
    expect(text).toMatch(
      /event: error\ndata: \{"type":"error","error":\{"type":"overloaded_error","message":"Overloaded"\}\}\n\n$/,
    );
  });

  it("holds an event back for as long as it is slow", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "slow", delayMs: 10 });
    const startMs = performance.now();
    const events = eventsOf(await (await chat(url, { stream: true, max_tokens: 4 })).text());
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(events.length * 9);
  });

  it("pads one event to any size, and its JSON stays valid", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "huge-event", bytes: 300_000, afterEvents: 2 });
    const text = await (await chat(url, { stream: true })).text();
    const sizes = text.split("\n\n").map((event) => event.length);
    expect(sizes[2]).toBeGreaterThan(300_000);
    expect(sizes[1]).toBeLessThan(1_000);
    expect(eventsOf(text).at(-1)).toBe("[DONE]");
    expect(await (await chat(url)).json()).toMatchObject({ object: "chat.completion" });
  });

  it("sends a body in pieces that cut through its events, and every byte of it", async () => {
    const { url, simulator } = await running();
    const whole = await (await chat(url, { stream: true, max_tokens: 4 })).text();
    simulator.setFault("openai-eu", { kind: "split", maxBytes: 40 });
    const { pieces } = await overSocket(url, { stream: true, max_tokens: 4 });
    expect(pieces.length).toBeGreaterThan(20);
    const split = await (await chat(url, { stream: true, max_tokens: 4 })).text();
    const withoutIds = (text: string): string => text.replace(/chatcmpl-\w+/g, "").replace(/"created":\d+/g, "");
    expect(withoutIds(split)).toBe(withoutIds(whole));
  });
});

describe("streams that refuse although their status is 200", () => {
  it.each([
    ["openai-eu/v1", "gpt-4.1", ["response.created", "response.in_progress", "error", "response.failed"]],
    ["swedencentral/openai/v1", "our-gpt", ["response.created", "response.failed", "error"]],
  ])("follow the order of events of %s", async (path, model, expected) => {
    const { url, simulator } = await running();
    simulator.setFault(path.split("/")[0] ?? "", { kind: "refusal-200", retryAfterSeconds: 7 });
    const response = await fetch(`${url}/${path}/responses`, {
      method: "POST",
      headers: { authorization: "Bearer any" },
      body: JSON.stringify({ model, input: "hello", stream: true }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("retry-after")).toBe("7");
    const events = eventsOf(await response.text()) as { type: string; sequence_number: number }[];
    expect(events.map((event) => event.type)).toEqual(expected);
    expect(events.map((event) => event.sequence_number)).toEqual(expected.map((_, index) => index));
    expect(events.find((event) => event.type === "error")).toMatchObject({ error: { code: "rate_limit_exceeded" } });
  });

  it("carry the code that they are told in chat completions, and no text", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "refusal-200", code: "insufficient_quota" });
    const response = await chat(url, { stream: true });
    expect(response.headers.has("retry-after")).toBe(true);
    expect(eventsOf(await response.text())).toEqual([
      { error: expect.objectContaining({ code: "insufficient_quota", type: "insufficient_quota" }) as unknown },
    ]);
  });

  it("are kept for streams: a request for a whole answer does not use them up", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "refusal-200", times: 1 });
    expect(await (await chat(url)).json()).toMatchObject({ object: "chat.completion" });
    expect(await (await chat(url, { stream: true })).text()).toContain("rate_limit_exceeded");
    expect(await (await chat(url, { stream: true })).text()).toContain("Simu");
  });
});

describe("faults that change what an answer says", () => {
  it("names another region in Azure's header and in Anthropic's usage", async () => {
    const { url, simulator } = await running();
    simulator.setFault("swedencentral", { kind: "wrong-region", region: "East Asia" });
    simulator.setFault("anthropic-us", { kind: "wrong-region", region: "global" });
    expect((await azureChat(url)).headers.get("x-ms-region")).toBe("East Asia");
    expect(await (await messages(url)).json()).toMatchObject({ usage: { inference_geo: "global" } });
  });

  it("says that another deployment spilled over", async () => {
    const { url, simulator } = await running();
    simulator.setFault("swedencentral", { kind: "spillover", from: "our-provisioned" });
    expect((await azureChat(url)).headers.get("x-ms-spillover-from-deployment")).toBe("our-provisioned");
  });

  it("serves another model than was asked for", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "served-model", model: "gpt-4.1-nano" });
    expect(await (await chat(url)).json()).toMatchObject({ model: "gpt-4.1-nano" });
  });
});

describe("setting faults", () => {
  it("treats those that break as a sequence, beside all that alter", async () => {
    const { url } = await running();
    await putFaults(url, "swedencentral", [
      { kind: "status", status: 500, times: 1 },
      { kind: "status", status: 503, times: 1 },
      { kind: "wrong-region", region: "East Asia" },
    ]);
    const answers = [await azureChat(url), await azureChat(url), await azureChat(url)];
    expect(answers.map((answer) => answer.status)).toEqual([500, 503, 200]);
    expect(answers.map((answer) => answer.headers.get("x-ms-region"))).toEqual(["East Asia", "East Asia", "East Asia"]);
  });

  it("meets only the deployment that is named", async () => {
    const { url, simulator } = await running();
    simulator.setFault("openai-eu", { kind: "status", status: 500, deployment: "text-embedding-3-small" });
    expect((await chat(url)).status).toBe(200);
    expect((await chat(url, { model: "text-embedding-3-small" })).status).toBe(500);
  });

  it("leaves other regions alone, and ends with DELETE", async () => {
    const { url } = await running();
    await putFaults(url, "openai-eu", [{ kind: "status", status: 500 }]);
    expect((await messages(url)).status).toBe(200);
    expect((await chat(url)).status).toBe(500);
    await fetch(`${url}/openai-eu/_faults`, { method: "DELETE" });
    expect((await chat(url)).status).toBe(200);
  });

  it("refuses what it does not understand instead of doing nothing", async () => {
    const { url } = await running();
    for (const body of ['{"faults":[{"kind":"sloow"}]}', '{"faults":[{"kind":"reset","afterEvent":3}]}', "{", "[]"]) {
      expect((await fetch(`${url}/openai-eu/_faults`, { method: "PUT", body })).status).toBe(400);
    }
    expect((await fetch(`${url}/openai-eu/_faults`, { method: "POST", body: "{}" })).status).toBe(405);
    expect((await chat(url)).status).toBe(200);
  });

  it("starts with the faults of the profile", async () => {
    const { url } = await running({ profiles: [{ ...anthropicRegion, faults: [{ kind: "status", status: 529, times: 1 }] }] });
    expect((await messages(url)).status).toBe(529);
    expect((await messages(url)).status).toBe(200);
  });
});
