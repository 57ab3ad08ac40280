import { describe, expect, test } from "vitest";
import { hashes } from "../../../src/runtime/node/hashes.ts";
import { openCheckpoint } from "../../../src/transparency/checkpoint.ts";
import { verifyConsistencyProof, type ConsistencyProof } from "../../../src/transparency/consistency-proof.ts";
import { readPublicKeys, type LogKey } from "../../../src/transparency/log-keys.ts";
import { verifyReceiptProof } from "../../../src/transparency/receipt-proof.ts";
import { openaiClient } from "../harness/clients.ts";
import type { TestTenant } from "../harness/operator.ts";
import type { Context } from "./context.ts";

const { sha256Bytes } = hashes;
const messages = [{ role: "user" as const, content: "Where do you run?" }];

/** What a customer's auditor does with nothing but HTTP and the public keys. */
export function receiptLog(context: () => Context): void {
  async function get(path: string, tenant: Pick<TestTenant, "key"> = context().tenant): Promise<Response> {
    const { gateway } = context();
    return fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${tenant.key}` } });
  }

  async function publicKeys(): Promise<readonly LogKey[]> {
    const response = await fetch(`${context().gateway.url}/.well-known/strait/jwks.json`);
    const read = readPublicKeys(await response.text(), sha256Bytes);
    if (!read.ok) throw new Error(read.problem);
    return read.keys;
  }

  async function served(tenant: Pick<TestTenant, "key"> = context().tenant): Promise<string> {
    const { gateway } = context();
    const { response } = await openaiClient(gateway.url, tenant.key)
      .chat.completions.create({ model: "gpt-4.1", messages })
      .withResponse();
    return response.headers.get("x-request-id") ?? "";
  }

  describe("the log of receipts", () => {
    test("proves a receipt as soon as the answer is there, and a change of the file is found out", async () => {
      const requestId = await served();
      const file = await (await get(`/v1/strait/receipts/${requestId}/proof`)).text();
      const keys = await publicKeys();
      expect(await verifyReceiptProof(file, keys, sha256Bytes)).toMatchObject({
        ok: true,
        receipt: {
          schema: "strait.receipt.v2",
          requestId,
          end: "completed",
          requestDigest: expect.stringMatching(/^hmac-sha256:/),
        },
      });
      const forged = file.replace('"end":"completed"', '"end":"revoked"');
      expect(await verifyReceiptProof(forged, keys, sha256Bytes)).toMatchObject({ ok: false });
    });

    test("holds what was refused as well, and shows no tenant another's", async () => {
      const { gateway, tenant, operator } = context();
      const refused = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "no-such-model", messages }),
      });
      const requestId = refused.headers.get("x-request-id") ?? "";
      const file = await (await get(`/v1/strait/receipts/${requestId}/proof`)).text();
      expect(await verifyReceiptProof(file, await publicKeys(), sha256Bytes)).toMatchObject({
        ok: true,
        receipt: { end: "refused", status: 404, refusal: { kind: "model_not_found" }, modelAsked: "no-such-model" },
      });
      const other = await operator.addTenant({});
      const response = await fetch(`${gateway.url}/v1/strait/receipts/${requestId}/proof`, {
        headers: { authorization: `Bearer ${other.key}` },
      });
      expect(response.status).toBe(404);
    });

    test("has what was admitted from slices as well: one tree, each receipt once, proved as soon as the answer is there", async () => {
      const hot = await context().operator.addTenant({
        limits: [{ name: "requests-per-day", unit: "requests", window: "day", ceiling: 1_000, slices: true }],
      });
      const keys = await publicKeys();
      const verdicts = await Promise.all(
        Array.from({ length: 24 }, async () => {
          const requestId = await served(hot);
          const file = await (await get(`/v1/strait/receipts/${requestId}/proof`, hot)).text();
          const verdict = await verifyReceiptProof(file, keys, sha256Bytes);
          if (!verdict.ok) throw new Error(`${requestId}: ${verdict.problem}`);
          expect(verdict.receipt).toMatchObject({ requestId, end: "completed" });
          return verdict;
        }),
      );
      expect(new Set(verdicts.map(({ leafIndex }) => leafIndex)).size).toBe(verdicts.length);
      const { checkpoint: note } = (await (await get("/v1/strait/log/checkpoint", hot)).json()) as { checkpoint: string };
      const opened = await openCheckpoint(note, keys, sha256Bytes);
      if (!opened.ok) throw new Error(opened.problem);
      for (const { checkpoint } of verdicts) {
        expect(checkpoint.origin).toBe(opened.checkpoint.origin);
        expect(checkpoint.size).toBeLessThanOrEqual(opened.checkpoint.size);
      }
    });

    test("only grows: a checkpoint that was kept is the beginning of every later one", async () => {
      const keys = await publicKeys();
      await get(`/v1/strait/receipts/${await served()}/proof`);
      const { checkpoint: kept } = (await (await get("/v1/strait/log/checkpoint")).json()) as { checkpoint: string };
      const earlier = await openCheckpoint(kept, keys, sha256Bytes);
      if (!earlier.ok) throw new Error(earlier.problem);
      await get(`/v1/strait/receipts/${await served()}/proof`);
      const proof = (await (await get(`/v1/strait/log/consistency?size=${earlier.checkpoint.size}`)).json()) as ConsistencyProof;
      const later = await openCheckpoint(proof.later, keys, sha256Bytes);
      if (!later.ok) throw new Error(later.problem);
      expect(later.checkpoint.size).toBeGreaterThan(earlier.checkpoint.size);
      const text = JSON.stringify(proof);
      expect(await verifyConsistencyProof(text, earlier.checkpoint, later.checkpoint, keys, sha256Bytes)).toEqual({ ok: true });
      const between = `/v1/strait/log/consistency?size=${earlier.checkpoint.size}&to=`;
      await get(`/v1/strait/receipts/${await served()}/proof`);
      expect(await (await get(`${between}${later.checkpoint.size}`)).json()).toEqual(proof);
      for (const unsigned of [`${between}1000000`, `${between}many`, "/v1/strait/log/consistency?size=many"])
        expect((await get(unsigned)).status).toBe(400);
    });
  });
}
