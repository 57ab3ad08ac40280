import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ageStores } from "../harness/age-stores.ts";
import { openaiClient } from "../harness/clients.ts";
import type { GatewayUnderTest, StartGateway } from "../harness/gateway-under-test.ts";
import { Operator, type TestTenant } from "../harness/operator.ts";
import { get, strait } from "../harness/strait.ts";

/** Longer than the shipped classes keep receipts of standard models, and shorter than those of frontier models and the audit. */
const yearsMs = 6 * 365 * 86_400_000;

interface Report {
  readonly counts: readonly { readonly records: string; readonly deleted: number; readonly held: number }[];
  readonly failed: readonly string[];
}

/** Of one tenant: three receipts, of which one is kept for longer, and a refusal. */
interface Past {
  readonly tenant: TestTenant;
  readonly requestIds: readonly string[];
  readonly frontierId: string;
  readonly refusedId: string;
}

/** What operators and auditors find once records are old enough to go. */
export function retention(start: StartGateway, startMs: number): void {
  describe("whose records have grown old", { timeout: 60_000 }, () => {
    let folder: string;
    let gateway: GatewayUnderTest;
    let free: Past;
    let held: Past;
    let youngId: string;
    let keys: string;
    let proof: string;
    let checkpoint: string;

    function file(name: string, text: string): string {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    }

    async function ask(tenant: TestTenant, model: string): Promise<string> {
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
        body: JSON.stringify({ model, max_tokens: 20, messages: [{ role: "user", content: "Where do you run?" }] }),
      });
      await response.text();
      const id = response.headers.get("x-request-id") ?? "";
      // Signed, once it is proved.
      await get(gateway.url, `/v1/strait/receipts/${id}/proof`, tenant);
      return id;
    }

    async function live(tenant: TestTenant): Promise<Past> {
      return {
        tenant,
        requestIds: [await ask(tenant, "gpt-4.1"), await ask(tenant, "gpt-4.1")],
        frontierId: await ask(tenant, "gpt-5"),
        refusedId: await ask(tenant, "no-such-model"),
      };
    }

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "strait-retention-"));
      const dataDir = mkdtempSync(join(folder, "data-"));
      gateway = await start({ dataDir });
      const operator = new Operator(gateway);
      free = await live(await operator.addTenant());
      held = await live(await operator.addTenant());
      await strait("retention", "hold", held.tenant.id, "--reason", "case 7", "--url", gateway.url);
      keys = file("keys.json", await get(gateway.url, "/.well-known/strait/jwks.json"));
      proof = file("proof.json", await get(gateway.url, `/v1/strait/receipts/${free.requestIds[0]}/proof`, free.tenant));
      checkpoint = file("monday.json", await get(gateway.url, "/v1/strait/log/checkpoint", free.tenant));
      await gateway.stop();
      ageStores(dataDir, yearsMs);
      gateway = await start({ dataDir });
      youngId = await ask(free.tenant, "gpt-4.1");
      // Across tenants they are seen soon, wherever records lie.
      await vi.waitUntil(async () => (await exported()).includes(youngId), { timeout: 15_000, interval: 250 });
    }, 3 * startMs);
    afterAll(async () => {
      await gateway?.stop();
      rmSync(folder, { recursive: true, force: true });
    }, startMs);

    /** How many receipts and refusals, and how many a hold keeps. Sums are of a quarter of an hour, which may end in between. */
    async function applied(...options: readonly string[]): Promise<Readonly<Record<string, readonly [number, number]>>> {
      const report = await strait("retention", "apply", "--json", "--url", gateway.url, ...options);
      const { counts, failed } = JSON.parse(report) as Report;
      expect(failed).toEqual([]);
      const told = counts.filter(({ records }) => records === "receipts" || records === "refusals");
      return Object.fromEntries(told.map(({ records, deleted, held: kept }) => [records, [deleted, kept]]));
    }

    async function exported(): Promise<string> {
      return new Operator(gateway).text("GET", "/usage/export?format=jsonl&from=2000-01-01&to=2100-01-01");
    }

    async function statuses({ tenant, requestIds, frontierId, refusedId }: Past): Promise<readonly number[]> {
      const asked = [...requestIds, frontierId, refusedId].map((id) =>
        fetch(`${gateway.url}/v1/strait/receipts/${id}`, { headers: { authorization: `Bearer ${tenant.key}` } }),
      );
      return (await Promise.all(asked)).map(({ status }) => status);
    }

    test("they are counted in a dry run and then deleted, by the longest class of each, save those under a legal hold", async () => {
      expect(await strait("retention", "show", "--url", gateway.url)).toMatch(/receipts\s+frontier/);
      const counted = { receipts: [2, 2], refusals: [1, 1] };
      expect(await applied("--dry-run")).toEqual(counted);
      expect(await statuses(free)).toEqual([200, 200, 200, 200]);
      expect(await applied()).toEqual(counted);
      expect(await applied()).toEqual({ receipts: [0, 2], refusals: [0, 1] });
      expect(await statuses(free)).toEqual([404, 404, 200, 404]);
      expect(await statuses(held)).toEqual([200, 200, 200, 200]);
      expect(await get(gateway.url, `/v1/strait/receipts/${youngId}`, free.tenant)).toContain(youngId);
      await expect(get(gateway.url, `/v1/strait/receipts/${free.requestIds[0]}/proof`, free.tenant)).rejects.toThrow("404");
    });

    test("nothing of them is left in what is told across tenants", async () => {
      const text = await exported();
      for (const id of free.requestIds) expect(text).not.toContain(id);
      for (const id of [free.frontierId, youngId, ...held.requestIds, held.frontierId]) expect(text).toContain(id);
    });

    test("the log is in order, old proofs hold, and the audit has who did it", async () => {
      expect(await strait("receipt", "verify", proof, "--key", keys)).toContain(`Proved: ${free.requestIds[0]} is entry`);
      const auditing = ["log", "audit", free.tenant.id, "--key", keys, "--checkpoint", checkpoint, "--url", gateway.url];
      expect(await strait(...auditing)).toContain("of 3 only the hash is kept");
      const audit = await strait("audit", "--json", "--url", gateway.url);
      expect(audit).toContain("retention.apply");
    });

    test("what was under a hold goes once it is released", async () => {
      await strait("retention", "release", held.tenant.id, "--url", gateway.url);
      expect(await applied()).toEqual({ receipts: [2, 0], refusals: [1, 0] });
      expect(await statuses(held)).toEqual([404, 404, 200, 404]);
    });

    test("a client goes on as if nothing were", async () => {
      const answer = await openaiClient(gateway.url, held.tenant.key).chat.completions.create({
        model: "gpt-4.1",
        messages: [{ role: "user", content: "Where do you run?" }],
      });
      expect(answer.choices[0]?.message.content).toMatch(/\S/);
    });
  });
}
