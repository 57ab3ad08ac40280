import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { errorOf, openaiClient } from "../harness/clients.ts";
import type { Context } from "./context.ts";

const chat = { model: "gpt-4.1", max_tokens: 20, messages: [{ role: "user" as const, content: "Hello" }] };

export function control(context: () => Context): void {
  describe("a change by the operator holds from the next request on, and stands in the audit:", () => {
    test("a key that is revoked", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const client = openaiClient(gateway.url, tenant.key);
      await client.chat.completions.create(chat);
      await operator.revokeKey(tenant);
      expect(await errorOf(client.chat.completions.create(chat))).toMatchObject({ status: 401, code: "revoked_api_key" });
      expect((await operator.audit(tenant.id))[0]).toMatchObject({
        actor: "operator",
        action: "key.revoke",
        tenantId: tenant.id,
        detail: { keyId: tenant.keyId },
      });
    });

    test("a key that is issued", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const { key, id } = await operator.issueKey(tenant.id, { name: "another" });
      await openaiClient(gateway.url, key).chat.completions.create(chat);
      const [newest] = await operator.audit(tenant.id);
      expect(newest).toMatchObject({ action: "key.issue", detail: { keyId: id, name: "another" } });
      expect(JSON.stringify(newest)).not.toContain(key);
    });

    test("a tenant that is suspended, and verified again", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const client = openaiClient(gateway.url, tenant.key);
      await client.chat.completions.create(chat);
      await operator.verification(tenant.id, "suspended");
      expect(await errorOf(client.chat.completions.create(chat))).toBeInstanceOf(OpenAI.PermissionDeniedError);
      expect((await operator.audit(tenant.id))[0]).toMatchObject({
        action: "tenant.verification",
        detail: { from: "verified", to: "suspended" },
      });
      await operator.verification(tenant.id, "verified");
      await client.chat.completions.create(chat);
    });

    test("limits that are lowered and raised", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const client = openaiClient(gateway.url, tenant.key);
      await client.chat.completions.create(chat);
      await operator.setLimits(tenant.id, [{ name: "requests-per-day", unit: "requests", window: "day", ceiling: 0 }]);
      expect(await errorOf(client.chat.completions.create(chat))).toBeInstanceOf(OpenAI.RateLimitError);
      expect((await operator.audit(tenant.id))[0]).toMatchObject({
        action: "limits.set",
        detail: { to: [{ name: "requests-per-day", ceiling: 0 }] },
      });
      await operator.setLimits(tenant.id, [{ name: "requests-per-day", unit: "requests", window: "day", ceiling: 5 }]);
      await client.chat.completions.create(chat);
    });

    test("countries that are no longer allowed", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const client = openaiClient(gateway.url, tenant.key);
      await operator.ask("PATCH", `/tenants/${tenant.id}`, { allowCountries: ["JP"] });
      for (let round = 0; round < 5; round++) {
        const { response } = await client.chat.completions.create(chat).withResponse();
        expect(response.headers.get("x-strait-countries")).toBe("JP");
      }
      expect((await operator.audit(tenant.id))[0]).toMatchObject({
        action: "tenant.change",
        detail: { allowCountries: { to: ["JP"] } },
      });
    });
  });
}
