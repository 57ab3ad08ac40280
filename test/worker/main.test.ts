import { createExecutionContext, evictAllDurableObjects, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { demoOperatorKey } from "../../src/runtime/worker/config.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import handler from "../../src/runtime/worker/main.ts";
import { bundledCatalogue } from "../../src/runtime/worker/regions.ts";
import { simulated } from "../../src/runtime/worker/simulated-region.ts";

const origin = "http://127.0.0.1:8787";

interface Called {
  readonly response: Response;
  /** Until all of the exchange is done: answered, settled and recorded. */
  readonly done: () => Promise<void>;
}

/** One request as workerd makes it, with a context of its own. */
async function call(path: string, init: RequestInit = {}, at: string = origin, bindings: Cloudflare.Env = env): Promise<Called> {
  const context = createExecutionContext();
  const request = new Request(`${at}${path}`, init) as Parameters<NonNullable<typeof handler.fetch>>[0];
  const response = (await handler.fetch?.(request, bindings, context)) as Response;
  return { response, done: () => waitOnExecutionContext(context) };
}

let key = "";

function chat(body: Record<string, unknown>, init: RequestInit = {}): RequestInit {
  return {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-4.1", messages: [{ role: "user", content: "Where do you run?" }], ...body }),
    ...init,
  };
}

async function receiptOf(response: Response): Promise<Receipt | undefined> {
  const { response: shown } = await call(`/v1/strait/receipts/${response.headers.get("x-request-id")}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  return shown.status === 200 ? ((await shown.json()) as Receipt) : undefined;
}

const regionIds = [...bundledCatalogue().regions.keys()];

function everyRegion(set: (id: string) => void): void {
  for (const id of regionIds) set(id);
}

beforeAll(async () => {
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  const { response } = await call("/control/v1/tenants/demo_cn/keys", {
    method: "POST",
    headers: { authorization: `Bearer ${demoOperatorKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "test" }),
  });
  key = /sk-strait-[\w-]+/.exec(await response.text())?.[0] ?? "";
});

afterEach(() => {
  vi.restoreAllMocks();
  everyRegion((id) => {
    simulated().setFault(id, undefined);
    simulated().setPace(id, { latencyMs: 0, tokensPerSecond: 0, answerTokens: undefined });
  });
});

describe("the gateway in a Worker", () => {
  it("answers a tenant by its key and keeps a receipt", async () => {
    const { response, done } = await call("/v1/chat/completions", chat({}));
    expect(await response.json()).toMatchObject({ object: "chat.completion" });
    await done();
    const receipt = await receiptOf(response);
    expect(receipt).toMatchObject({
      tenantId: "demo_cn",
      end: "completed",
      usageSource: "reported",
      gatewayPlace: "this machine",
    });
    expect(receipt?.region).toBe(response.headers.get("x-strait-region"));
  });

  it("streams, and settles though every object is evicted in the middle", async () => {
    everyRegion((id) => simulated().setPace(id, { tokensPerSecond: 100 }));
    const { response, done } = await call("/v1/chat/completions", chat({ stream: true }));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await evictAllDurableObjects();
    let text = "";
    for (;;) {
      const { done: over, value } = await reader.read();
      if (over) break;
      text += new TextDecoder().decode(value);
    }
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    await done();
    expect(await receiptOf(response)).toMatchObject({ end: "completed", usageSource: "reported", stream: true });
  });

  it("settles what a client did not wait for", async () => {
    everyRegion((id) => simulated().setPace(id, { tokensPerSecond: 20 }));
    const { response, done } = await call("/v1/chat/completions", chat({ stream: true }));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await reader.cancel();
    await done();
    expect(await receiptOf(response)).toMatchObject({ end: "client_cancelled" });
  });

  it("stops an upstream that is still thinking when the client leaves", async () => {
    everyRegion((id) => simulated().setFault(id, { kind: "stall" }));
    const leaving = new AbortController();
    const context = createExecutionContext();
    const request = new Request(`${origin}/v1/chat/completions`, chat({}, { signal: leaving.signal })) as Parameters<
      NonNullable<typeof handler.fetch>
    >[0];
    void Promise.resolve(handler.fetch?.(request, env, context)).catch(() => undefined);
    const open = (): number => regionIds.reduce((sum, id) => sum + simulated().stats(id).open, 0);
    await vi.waitUntil(() => open() === 1, { timeout: 3_000 });
    leaving.abort();
    await vi.waitUntil(() => open() === 0, { timeout: 3_000 });
    await waitOnExecutionContext(context);
  });

  it("knows no other path, and says so as the client's dialect does", async () => {
    const { response } = await call("/nowhere");
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error" } });
  });
});

describe("the operators' API in a Worker", () => {
  const asOperator = { headers: { authorization: `Bearer ${demoOperatorKey}` } };

  it("lists the demonstration's tenants", async () => {
    const { response } = await call("/control/v1/tenants", asOperator);
    expect(JSON.stringify(await response.json())).toContain("demo_sg");
  });

  it("demands the operator key", async () => {
    expect((await call("/control/v1/tenants")).response.status).toBe(401);
  });

  it("takes the demonstration's key on loopback alone", async () => {
    const { response } = await call("/control/v1/tenants", asOperator, "http://strait.example");
    expect(response.status).toBe(503);
    expect(await response.text()).toContain("STRAIT_OPERATOR_KEY");
  });
});
