import OpenAI from "openai";
import { expect } from "vitest";
import { hashes } from "../../../src/runtime/node/hashes.ts";
import { readPublicKeys } from "../../../src/transparency/log-keys.ts";
import { verifyReceiptProof } from "../../../src/transparency/receipt-proof.ts";
import { regionsWithin } from "./catalogue.ts";
import { drain, openaiClient } from "./clients.ts";
import type { GatewayUnderTest } from "./gateway-under-test.ts";
import { operatorOf } from "./one-test.ts";
import type { TestTenant } from "./operator.ts";
import { eventually, receiptLater } from "./receipts.ts";

const { sha256Bytes } = hashes;
const messages = [{ role: "user" as const, content: "Where do you run?" }];
const model = "gpt-4o-mini";
/** For a record that is written as soon as its lease is over. */
const withinMs = 20_000;
const [region = ""] = regionsWithin(model, ["JP"]);

/** A gateway whose store a test makes fail, and a tenant of its that one region alone answers. */
export interface FaultyGateway {
  readonly url: string;
  readonly tenant: TestTenant;
  readonly upstreams: Pick<GatewayUnderTest, "faults" | "seen">;
}

/** What the store of a gateway goes through. */
export interface StoreFault {
  begin(): void;
  end(): void;
}

export interface Answered {
  readonly status: number;
  readonly requestId: string;
  readonly retryAfter: string | null;
}

export async function ask({ url, tenant }: FaultyGateway, asked: string = model): Promise<Answered> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: asked, messages }),
  });
  await response.text();
  const { status, headers } = response;
  return { status, requestId: headers.get("x-request-id") ?? "", retryAfter: headers.get("retry-after") };
}

export interface UnderWay {
  readonly streamId: string;
  readonly stream: ReturnType<typeof drain<OpenAI.ChatCompletionChunk>>;
  readonly whole: Promise<Answered>;
}

/** What is under way when the fault comes: a stream whose first event was read, and a whole answer that is not there yet. */
export async function underWay(gateway: FaultyGateway): Promise<UnderWay> {
  gateway.upstreams.faults(region, [{ kind: "slow", delayMs: 60, afterMs: 500 }]);
  const before = gateway.upstreams.seen.length;
  const { data, request_id } = await openaiClient(gateway.url, gateway.tenant.key)
    .chat.completions.create({ model, messages, stream: true })
    .withResponse();
  const iterator = data[Symbol.asyncIterator]();
  await iterator.next();
  const whole = ask(gateway);
  await eventually(() => expect(gateway.upstreams.seen.length).toBe(before + 2));
  return { streamId: request_id ?? "", stream: drain({ [Symbol.asyncIterator]: () => iterator }), whole };
}

/** The record of a request, once its proof is there and holds. */
export async function proved({ url, tenant }: FaultyGateway, requestId: string): Promise<Readonly<Record<string, unknown>>> {
  const keys = readPublicKeys(await (await fetch(`${url}/.well-known/strait/jwks.json`)).text(), sha256Bytes);
  const headers = { authorization: `Bearer ${tenant.key}` };
  return eventually(async () => {
    const proof = await fetch(`${url}/v1/strait/receipts/${requestId}/proof`, { headers });
    const verdict = await verifyReceiptProof(await proof.text(), keys.ok ? keys.keys : [], sha256Bytes);
    if (!verdict.ok) throw new Error(`the receipt of ${requestId} is not proved: ${verdict.problem}`);
    return verdict.receipt;
  }, withinMs);
}

/** How often a request stands in the log. */
export async function entriesOf({ url, tenant }: FaultyGateway, requestId: string): Promise<number> {
  const { entries } = await operatorOf(url).ask<{ entries: readonly { readonly document: string }[] }>(
    "GET",
    `/tenants/${tenant.id}/log/entries`,
  );
  return entries.filter(({ document }) => (JSON.parse(document) as { requestId: string }).requestId === requestId).length;
}

/**
 * `STRAIT_AUDIT=block`, as a client sees it: without its record, no answer ends and none begins; afterwards there is a
 * record of what was held for it. The gateway's lease is short.
 */
export async function expectBlocked(gateway: FaultyGateway, fault: StoreFault): Promise<void> {
  const { stream, streamId, whole } = await underWay(gateway);
  fault.begin();
  const { events, error } = await stream;
  expect(events.length).toBeGreaterThan(2);
  expect(error).toBeInstanceOf(OpenAI.APIError);
  expect(error).toMatchObject({ code: "gateway_store_unavailable" });
  const withheld = await whole;
  expect(withheld).toMatchObject({ status: 503, retryAfter: "1" });
  const seen = gateway.upstreams.seen.length;
  expect(await ask(gateway)).toMatchObject({ status: 503 });
  expect(await ask(gateway, "no-such-model")).toMatchObject({ status: 503 });
  expect(gateway.upstreams.seen.length).toBe(seen);

  fault.end();
  for (const id of [streamId, withheld.requestId]) {
    const receipt = await receiptLater(gateway.url, gateway.tenant.key, id, withinMs);
    expect(receipt).toMatchObject({ end: "unsettled", usageSource: "held" });
    expect(await proved(gateway, id)).toMatchObject({ end: "unsettled" });
  }
  gateway.upstreams.faults(region, []);
  const { status, requestId } = await ask(gateway);
  expect(status).toBe(200);
  expect(await proved(gateway, requestId)).toMatchObject({ end: "completed" });
}
