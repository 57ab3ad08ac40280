import { describe, expect, test } from "vitest";
import { hashes } from "../../../src/runtime/node/hashes.ts";
import { readDigestKeySet } from "../../../src/tenant/digest-key-set.ts";
import { verifyDigest } from "../../../src/transparency/verify-digest.ts";
import { catalogue } from "../harness/catalogue.ts";
import type { TestTenant } from "../harness/operator.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

/** What a customer does with the bodies that it kept, and with keys that nobody else has. */
export function digestKeys(context: () => Context): void {
  const get = (key: string): Promise<Response> =>
    fetch(`${context().gateway.url}/v1/strait/digest-keys`, { headers: { authorization: `Bearer ${key}` } });

  async function keysOf({ key }: Pick<TestTenant, "key">): Promise<ReadonlyMap<string, Uint8Array>> {
    return readDigestKeySet(await (await get(key)).text()) ?? new Map();
  }

  interface Exchanged {
    readonly request: Uint8Array;
    readonly answer: Uint8Array;
    readonly receipt: Readonly<Record<string, unknown>>;
  }

  async function exchanged(tenant: TestTenant, more: object = {}): Promise<Exchanged> {
    const { gateway } = context();
    // Blanks and letters beyond ASCII: what is digested is bytes, and not what they mean.
    const document = { model: "gpt-4.1", messages: [{ role: "user", content: "Où êtes-vous ? 你在哪里" }], ...more };
    const request = new TextEncoder().encode(`${JSON.stringify(document, undefined, 3)}\n`);
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
      body: request,
    });
    const answer = new Uint8Array(await response.arrayBuffer());
    const receipt = await receiptOf(gateway.url, tenant.key, response.headers.get("x-request-id") ?? "");
    return { request, answer, receipt: { ...receipt } };
  }

  describe("a tenant's digest keys", () => {
    test.each([
      ["a whole answer", {}],
      ["a stream", { stream: true }],
    ])("show that the bodies of %s are those of its receipt, byte by byte", async (_what, more) => {
      const { tenant } = context();
      const { request, answer, receipt } = await exchanged(tenant, more);
      const keys = await keysOf(tenant);
      expect([...keys.keys()]).toEqual([receipt["digestKeyId"]]);
      for (const [body, bytes] of [["request", request] as const, ["answer", answer] as const]) {
        expect(verifyDigest(receipt, body, bytes, keys, hashes)).toEqual({ ok: true });
        const spoiled = Uint8Array.from(bytes, (byte, index) => (index === bytes.length >> 1 ? byte ^ 1 : byte));
        expect(verifyDigest(receipt, body, spoiled, keys, hashes)).toMatchObject({ ok: false });
      }
    });

    test("of a stream that broke cover the event that says so", async () => {
      const { gateway, tenant } = context();
      for (const region of catalogue.regions.keys())
        gateway.faults(region, [{ kind: "error-mid-stream", afterEvents: 6, afterMs: 150 }]);
      const { answer, receipt } = await exchanged(tenant, { stream: true });
      expect(receipt).toMatchObject({ end: "upstream_failed", stream: true, status: 200 });
      expect(verifyDigest(receipt, "answer", answer, await keysOf(tenant), hashes)).toEqual({ ok: true });
    });

    test("are rotated: a receipt names the one that it is of, and the old one stays for the old receipts", async () => {
      const { operator } = context();
      const tenant = await operator.addTenant();
      const before = await exchanged(tenant);
      const [first] = (await keysOf(tenant)).keys();
      await operator.ask("POST", `/tenants/${tenant.id}/digest-keys`);
      const after = await exchanged(tenant);
      const keys = await keysOf(tenant);
      expect([...keys.keys()]).toEqual([after.receipt["digestKeyId"], before.receipt["digestKeyId"]]);
      expect(before.receipt["digestKeyId"]).toBe(first);
      for (const { receipt, request } of [before, after])
        expect(verifyDigest(receipt, "request", request, keys, hashes)).toEqual({ ok: true });
      const youngest = new Map([...keys].slice(0, 1));
      expect(verifyDigest(before.receipt, "request", before.request, youngest, hashes)).toMatchObject({
        ok: false,
        problem: expect.stringContaining("not among those given"),
      });
      const audited = (await operator.audit(tenant.id)).filter(({ action }) => action === "digest_key.rotate");
      expect(audited).toMatchObject([{ detail: { digestKeyId: after.receipt["digestKeyId"], retired: first } }]);
    });

    test("are one tenant's alone, kept by no cache, and shown to no key that was narrowed", async () => {
      const { operator, tenant } = context();
      const shown = await get(tenant.key);
      expect([shown.status, shown.headers.get("cache-control")]).toEqual([200, "no-store"]);
      const secret = /"k":"([^"]{43})"/.exec(await shown.text())?.[1] ?? "";
      expect(secret).toHaveLength(43);
      const other = await operator.addTenant();
      expect(await (await get(other.key)).text()).not.toContain(secret);
      for (const scope of [{ models: ["gpt-4.1"] }, { surfaces: ["embeddings"] }]) {
        const narrow = await get((await operator.issueKey(tenant.id, scope)).key);
        const text = await narrow.text();
        expect([narrow.status, text]).toEqual([403, expect.stringContaining("keys without a scope")]);
        expect(text).not.toContain(secret);
      }
      const listed = await operator.text("GET", `/tenants/${tenant.id}/digest-keys`);
      expect(listed).toContain("dk_");
      expect(listed).not.toContain(secret);
    });
  });
}
