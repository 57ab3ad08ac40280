import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { readPublicKeys } from "../../src/transparency/log-keys.ts";
import { verifyReceiptProof } from "../../src/transparency/receipt-proof.ts";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { regionsWithin } from "./harness/catalogue.ts";
import type { Child } from "./harness/child.ts";
import { drain, openaiClient } from "./harness/clients.ts";
import { describeWithFullDisk, fillDisk, freeDisk } from "./harness/full-disk.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import type { TestTenant } from "./harness/operator.ts";
import { eventually, receiptLater } from "./harness/receipts.ts";
import { listening } from "./harness/start-node.ts";

const { sha256Bytes } = hashes;
const messages = [{ role: "user" as const, content: "Where do you run?" }];
const model = "gpt-4o-mini";
const [region = ""] = regionsWithin(model, ["JP"]);
const perDay = { name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 1_000_000 } as const;
const upstreams = sharedUpstreams();

/** A gateway and a tenant of its, whose answers come from one region. */
interface Running {
  readonly child: Child;
  readonly url: string;
  readonly tenant: TestTenant;
}

async function running(environment: Readonly<Record<string, string>>): Promise<Running> {
  const child = demo(upstreams(), { STRAIT_DATA_DIR: temporaryFolder(), ...environment });
  const url = await listening(child);
  return { child, url, tenant: await operatorOf(url).addTenant({ allowCountries: ["JP"], limits: [perDay] }) };
}

interface Answered {
  readonly status: number;
  readonly requestId: string;
  readonly retryAfter: string | null;
}

async function ask({ url, tenant }: Running, asked: string = model): Promise<Answered> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model: asked, messages }),
  });
  await response.text();
  const { status, headers } = response;
  return { status, requestId: headers.get("x-request-id") ?? "", retryAfter: headers.get("retry-after") };
}

/** What is under way when the fault comes: a stream whose first event was read, and a whole answer that is not there yet. */
async function underWay(gateway: Running) {
  upstreams().faults(region, [{ kind: "slow", delayMs: 60, afterMs: 500 }]);
  const before = upstreams().seen.length;
  const { data, request_id } = await openaiClient(gateway.url, gateway.tenant.key)
    .chat.completions.create({ model, messages, stream: true })
    .withResponse();
  const iterator = data[Symbol.asyncIterator]();
  await iterator.next();
  const whole = ask(gateway);
  await eventually(() => expect(upstreams().seen.length).toBe(before + 2));
  return { streamId: request_id ?? "", stream: drain({ [Symbol.asyncIterator]: () => iterator }), whole };
}

/** The record of a request, once its proof is there and holds. */
async function proved({ url, tenant }: Running, requestId: string): Promise<Readonly<Record<string, unknown>>> {
  const keys = readPublicKeys(await (await fetch(`${url}/.well-known/strait/jwks.json`)).text(), sha256Bytes);
  const headers = { authorization: `Bearer ${tenant.key}` };
  return eventually(async () => {
    const proof = await fetch(`${url}/v1/strait/receipts/${requestId}/proof`, { headers });
    const verdict = await verifyReceiptProof(await proof.text(), keys.ok ? keys.keys : [], sha256Bytes);
    if (!verdict.ok) throw new Error(`the receipt of ${requestId} is not proved: ${verdict.problem}`);
    return verdict.receipt;
  }, 10_000);
}

/** How often each request stands in the log. */
async function entriesOf({ url, tenant }: Running, requestId: string): Promise<number> {
  const { entries } = await operatorOf(url).ask<{ entries: readonly { readonly document: string }[] }>(
    "GET",
    `/tenants/${tenant.id}/log/entries`,
  );
  return entries.filter(({ document }) => (JSON.parse(document) as { requestId: string }).requestId === requestId).length;
}

async function tokensLeft({ url, tenant }: Running): Promise<number> {
  return (await operatorOf(url).use(tenant.id))[0]?.remaining ?? 0;
}

describeWithFullDisk("while the disk of a gateway on SQLite is full", () => {
  test("block: the end of what is under way is withheld, nothing else is served, and what was held is on record", async () => {
    const gateway = await running({ STRAIT_LEASE_MS: "1500" });
    const { stream, streamId, whole } = await underWay(gateway);
    fillDisk(gateway.child.pid);
    const { events, error } = await stream;
    expect(events.length).toBeGreaterThan(2);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error).toMatchObject({ code: "gateway_store_unavailable" });
    const withheld = await whole;
    expect(withheld).toMatchObject({ status: 503, retryAfter: "1" });
    const seen = upstreams().seen.length;
    expect(await ask(gateway)).toMatchObject({ status: 503 });
    expect(await ask(gateway, "no-such-model")).toMatchObject({ status: 503 });
    expect(upstreams().seen.length).toBe(seen);

    freeDisk(gateway.child.pid);
    for (const id of [streamId, withheld.requestId]) {
      const receipt = await receiptLater(gateway.url, gateway.tenant.key, id, 10_000);
      expect(receipt).toMatchObject({ end: "unsettled", usageSource: "held" });
      expect(await proved(gateway, id)).toMatchObject({ end: "unsettled" });
    }
    upstreams().faults(region, []);
    const { status, requestId } = await ask(gateway);
    expect(status).toBe(200);
    expect(await proved(gateway, requestId)).toMatchObject({ end: "completed" });
  }, 60_000);

  test("buffer: what is under way ends well, and its records are written once there is room", async () => {
    const gateway = await running({ STRAIT_AUDIT: "buffer" });
    const { stream, streamId, whole } = await underWay(gateway);
    fillDisk(gateway.child.pid);
    const { events, error } = await stream;
    expect(error).toBeUndefined();
    expect(events.flatMap(({ choices }) => choices).at(-1)?.finish_reason).toBe("stop");
    const answered = await whole;
    expect(answered.status).toBe(200);
    const refused = await ask(gateway, "no-such-model");
    expect(refused.status).toBe(404);
    // Nothing can be held, so nothing goes upstream.
    expect(await ask(gateway)).toMatchObject({ status: 503 });

    freeDisk(gateway.child.pid);
    const receipts = await Promise.all([streamId, answered.requestId].map((id) => proved(gateway, id)));
    for (const receipt of receipts) expect(receipt).toMatchObject({ end: "completed", usageSource: "reported" });
    expect(await proved(gateway, refused.requestId)).toMatchObject({ end: "refused", status: 404 });
    for (const id of [streamId, answered.requestId, refused.requestId]) expect(await entriesOf(gateway, id)).toBe(1);
    const charged = receipts.reduce((sum, { chargedTokens }) => sum + Number(chargedTokens), 0);
    expect(await tokensLeft(gateway)).toBe(perDay.ceiling - charged);
  }, 60_000);
});

describeOnPostgres("while PostgreSQL is away", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await PostgresServer.start();
  }, 30_000);
  afterAll(() => postgres.stop());

  describe.each([
    { audit: "block", refusedWith: 503 },
    { audit: "buffer", refusedWith: 404 },
  ])("$audit", ({ audit, refusedWith }) => {
    test(`answers wait for their records on disk, and what is refused is answered ${refusedWith}`, async () => {
      const gateway = await running({ STRAIT_AUDIT: audit, STRAIT_DATABASE_URL: await postgres.createDatabase() });
      const { stream, streamId, whole } = await underWay(gateway);
      await postgres.halt("immediate");
      const { error } = await stream;
      expect(error).toBeUndefined();
      const answered = await whole;
      expect(answered.status).toBe(200);
      const refused = await ask(gateway, "no-such-model");
      expect(refused.status).toBe(refusedWith);

      await postgres.resume();
      for (const id of [streamId, answered.requestId]) {
        expect(await proved(gateway, id)).toMatchObject({ end: "completed", usageSource: "reported" });
        expect(await entriesOf(gateway, id)).toBe(1);
      }
      if (audit === "buffer") expect(await proved(gateway, refused.requestId)).toMatchObject({ end: "refused", status: 404 });
      expect(await entriesOf(gateway, refused.requestId)).toBe(audit === "buffer" ? 1 : 0);
    }, 60_000);
  });
});
