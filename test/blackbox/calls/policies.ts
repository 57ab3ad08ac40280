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
