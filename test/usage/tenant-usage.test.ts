import { afterEach, describe, expect, it } from "vitest";
import type { JournalReader } from "../../src/ledger/journal-reader.ts";
import { StoreUnavailable } from "../../src/quota/store.ts";
import { Gate, type Asked, type GateOptions } from "../exchange/gate.ts";
import { requestIdAt } from "../stores/journal-reader-contract.ts";
import { receipt } from "../stores/samples.ts";
import { tenant } from "../support/permits.ts";
import { json } from "../support/scripted-transport.ts";

let gates: Gate[] = [];
afterEach(() => {
  for (const gate of gates) gate.close();
  gates = [];
});

/** A gateway whose journal can be read. */
async function open(ports: GateOptions["ports"] = {}): Promise<Gate> {
  const late: { gate?: Gate } = {};
  const read = (): JournalReader => {
    if (late.gate === undefined) throw new Error("too early");
    return late.gate.stores.reader;
  };
  const reader: JournalReader = {
    scan: (query) => read().scan(query),
    scanRefusals: (query) => read().scanRefusals(query),
    usage: (query) => read().usage(query),
    completeUntilMs: () => read().completeUntilMs(),
  };
  const gate = await Gate.open({ ports: { reader, ...ports } });
  late.gate = gate;
  gates.push(gate);
  return gate;
}

async function usage(gate: Gate, query = "", ask: Parameters<Gate["ask"]>[0] = {}): Promise<Asked> {
  const asked = gate.ask({ method: "GET", path: "/v1/strait/usage", query, ...ask });
  await asked.done;
  return asked;
}

describe("a tenant's usage", () => {
  it("has what it just used, counted as its receipt says", async () => {
    const gate = await open();
    const body = { model: "gpt-test", messages: [{ role: "user", content: "hello" }], max_tokens: 50 };
    const asked = await gate.reached({ body });
    const document = {
      id: "x",
      object: "chat.completion",
      choices: [],
      usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17, prompt_tokens_details: { cached_tokens: 4 } },
    };
    gate.transport.last.answer(200, json, JSON.stringify(document));
    await gate.finished(asked);
    const written = await gate.receiptOf(asked);
    const { outbound, json: answer } = await usage(gate, "by=model,key,region,end");
    expect(outbound.status).toBe(200);
    expect(answer["usage"]).toEqual([
      expect.objectContaining({
        model: "gpt-test",
        key: gate.keyId,
        region: asked.outbound.header("x-strait-region"),
        end: "completed",
        requests: 1,
        inputTokens: 12,
        cachedInputTokens: 4,
        outputTokens: 5,
        chargedTokens: 17,
        costMicroUsd: written?.costMicroUsd,
        unknown: expect.objectContaining({
          inputTokens: 0,
          cacheWriteTokens: written?.usage.cacheWriteTokens === undefined ? 1 : 0,
        }),
      }),
    ]);
    expect(answer["total"]).toMatchObject({ requests: 1, costMicroUsd: written?.costMicroUsd });
  });

  it("is its own alone, and not apart by tenant", async () => {
    const gate = await open();
    const startedAtMs = gate.clock.nowMs();
    for (const [number, tenantId] of [tenant.id, "other"].entries())
      await gate.stores.journal.append(receipt(requestIdAt(startedAtMs, number), { tenantId, startedAtMs }));
    const mine = await usage(gate, "tenant=other");
    expect(mine.json["total"]).toMatchObject({ requests: 1 });
    const apart = await usage(gate, "by=tenant");
    expect(apart.outbound.status).toBe(400);
    expect(apart.json.error?.message).toBe("Invalid value for by: expected a list, each once, of day, model, key, region, end.");
  });

  it("demands a key, and says what is wrong in the client's own dialect", async () => {
    const gate = await open();
    expect((await usage(gate, "", { key: "" })).outbound.status).toBe(401);
    const openai = await usage(gate, "from=soon");
    expect([openai.outbound.status, openai.json.error]).toEqual([
      400,
      expect.objectContaining({ type: "invalid_request_error", param: "from" }),
    ]);
    const anthropic = await usage(gate, "from=soon", { key: "", headers: { "x-api-key": gate.key } });
    expect(anthropic.json).toMatchObject({ type: "error", error: { type: "invalid_request_error" } });
  });

  it("is refused for a while where the store is away, and is no path where no journal can be read", async () => {
    const away = (): Promise<never> => Promise.reject(new StoreUnavailable("away"));
    const reader = { scan: away, scanRefusals: away, usage: away, completeUntilMs: away };
    const broken = await usage(await open({ reader }));
    expect(broken.outbound.status).toBe(503);
    expect(broken.outbound.header("retry-after")).toBe("1");
    expect((await usage(await open({ reader: undefined }))).outbound.status).toBe(404);
  });
});
