import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, openaiClient } from "../harness/clients.ts";
import type { GatewayUnderTest, StartGateway } from "../harness/gateway-under-test.ts";
import { Operator } from "../harness/operator.ts";
import { receiptOf } from "../harness/receipts.ts";
import { policyKeys, signedPolicy } from "../harness/signed-policy.ts";

const chat = { model: "gpt-4.1", max_tokens: 20, messages: [{ role: "user" as const, content: "Hello" }] };
const environment = { STRAIT_POLICY_KEYS: policyKeys };

interface PolicyStatus {
  readonly policies: readonly { readonly version: string; readonly state: string }[];
  readonly refused: readonly { readonly file: string; readonly reason: string }[];
}

/** A gateway that takes signed policies alone. */
export function policies(start: StartGateway, startMs: number): void {
  describe("of which one is in force", () => {
    let gateway: GatewayUnderTest;
    beforeAll(async () => {
      const bundles = {
        now: (await signedPolicy("signed-now", 0)).text,
        next: (await signedPolicy("signed-next", Date.UTC(2090, 0, 1))).text,
        forged: (await signedPolicy("forged", 1, undefined, false)).text,
      };
      gateway = await start({ environment, bundles });
    }, startMs);
    afterAll(() => gateway?.stop(), startMs);

    test("that one decides and stands in the receipt by its digest; what is forged is not taken", async () => {
      const operator = new Operator(gateway);
      const tenant = await operator.addTenant();
      const { request_id } = await openaiClient(gateway.url, tenant.key).chat.completions.create(chat).withResponse();
      const { digest } = await signedPolicy("signed-now", 0);
      expect(await receiptOf(gateway.url, tenant.key, request_id ?? "")).toMatchObject({
        policyVersion: "signed-now",
        policyDigest: digest,
      });
      const status = await operator.ask<PolicyStatus>("GET", "/policy");
      expect(status.policies).toMatchObject([
        { version: "signed-now", state: "active" },
        { version: "signed-next", state: "pending" },
      ]);
      expect(status.refused).toMatchObject([{ file: expect.stringMatching(/forged\.json$/) as string }]);
      const explained = await operator.ask("GET", `/tenants/${tenant.id}/explain?model=gpt-4.1`);
      expect(explained).toMatchObject({ served: "gpt-4.1", policy: { digest } });
    });
  });

  describe("of which one is loaded while it runs", () => {
    let gateway: GatewayUnderTest;
    beforeAll(async () => {
      gateway = await start({ environment, bundles: { now: (await signedPolicy("signed-now", 0)).text } });
    }, startMs);
    afterAll(() => gateway?.stop(), startMs);

    test("that one decides from its beginning on, and cannot be withdrawn then; what is forged is not taken", async () => {
      const operator = new Operator(gateway);
      const tenant = await operator.addTenant();
      const client = openaiClient(gateway.url, tenant.key);
      const versionOfNext = async (): Promise<string> => {
        const { request_id } = await client.chat.completions.create(chat).withResponse();
        return (await receiptOf(gateway.url, tenant.key, request_id ?? "")).policyVersion;
      };
      expect(await versionOfNext()).toBe("signed-now");
      const fromMs = Date.now() + 4_000;
      const loaded = await signedPolicy("loaded", fromMs);
      const later = await signedPolicy("later", Date.UTC(2090, 0, 1));
      const forged = await signedPolicy("forged", fromMs + 1, undefined, false);
      for (const { text } of [loaded, later]) await operator.ask("POST", "/policy/bundles", JSON.parse(text));
      await expect(operator.ask("POST", "/policy/bundles", JSON.parse(forged.text))).rejects.toThrow(/422/);
      expect(await versionOfNext()).toBe("signed-now");
      expect(await operator.ask<PolicyStatus>("GET", "/policy")).toMatchObject({
        policies: [{ state: "active" }, { version: "loaded", state: "pending", source: "loaded" }, { version: "later" }],
      });
      expect(Date.now()).toBeLessThan(fromMs);
      await delay(fromMs - Date.now());
      expect(await versionOfNext()).toBe("loaded");
      await expect(operator.ask("DELETE", `/policy/bundles/${loaded.digest}`)).rejects.toThrow(/409/);
      await operator.ask("DELETE", `/policy/bundles/${later.digest}`);
      const status = await operator.ask<PolicyStatus>("GET", "/policy");
      expect(status.policies.map(({ version }) => version)).toEqual(["signed-now", "loaded"]);
    });
  });

  describe("of which none is in force", () => {
    let gateway: GatewayUnderTest;
    beforeAll(async () => {
      const bundles = { next: (await signedPolicy("signed-next", Date.UTC(2090, 0, 1))).text };
      gateway = await start({ environment, bundles });
    }, startMs);
    afterAll(() => gateway?.stop(), startMs);

    test("everything is refused, whatever policy.toml says, and no upstream is reached", async () => {
      const tenant = await new Operator(gateway).addTenant();
      const client = openaiClient(gateway.url, tenant.key);
      expect(await errorOf(client.chat.completions.create(chat))).toMatchObject({ status: 503, code: "policy_not_in_force" });
      expect((await client.models.list()).data).toEqual([]);
      expect(gateway.seen).toEqual([]);
    });
  });
}
