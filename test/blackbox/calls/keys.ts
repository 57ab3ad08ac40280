import { exportJWK, generateKeyPair, SignJWT } from "jose";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { errorOf, openaiClient } from "../harness/clients.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const chat = JSON.stringify({ model: "gpt-4.1", messages: [{ role: "user", content: "Hello" }] });
const message = JSON.stringify({ model: "claude-haiku-4-5", max_tokens: 20, messages: [{ role: "user", content: "Hello" }] });

const calls = [
  ["/v1/chat/completions", chat],
  ["/openai/deployments/gpt-4.1/chat/completions?api-version=2025-04-01-preview", chat],
  ["/openai/v1/chat/completions", chat],
  ["/v1/messages", message],
] as const;

const headersOf: Readonly<Record<string, (key: string) => Record<string, string>>> = {
  "Authorization: Bearer": (key) => ({ authorization: `Bearer ${key}` }),
  "api-key": (key) => ({ "api-key": key }),
  "x-api-key": (key) => ({ "x-api-key": key }),
};

export function keyHeaders(context: () => Context): void {
  describe.each(Object.entries(headersOf))("a key in %s", (_header, headers) => {
    test.each(calls)("opens %s", async (path, body) => {
      const { gateway, tenant } = context();
      const response = await fetch(`${gateway.url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers(tenant.key) },
        body,
      });
      expect([response.status, await response.text()]).toEqual([200, expect.stringContaining("Simulated answer")]);
    });
  });

  describe("two different keys in one request", () => {
    test("are refused, whichever of them would open it", async () => {
      const { gateway, operator, tenant } = context();
      const other = await operator.addTenant();
      const response = await fetch(`${gateway.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${tenant.key}`, "x-api-key": other.key },
        body: chat,
      });
      expect(response.status).toBe(401);
      await response.body?.cancel();
    });
  });

  describe("a token of the tenant's own issuer", () => {
    test("opens what its scopes say for as long as it lasts, and what another key signed opens nothing", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const issuer = { issuer: "https://login.example.test", audience: "strait" };
      const { publicKey, privateKey } = await generateKeyPair("ES256");
      const jwk = { ...(await exportJWK(publicKey)), kid: "one", alg: "ES256" };
      await operator.ask("PATCH", `/tenants/${tenant.id}`, { oidc: { ...issuer, jwks: { keys: [jwk] } } });
      const sign = (key: typeof privateKey, expires: string, claims: Readonly<Record<string, string>> = {}) =>
        new SignJWT({ strait_tenant: tenant.id, ...claims })
          .setProtectedHeader({ alg: "ES256", kid: "one" })
          .setIssuer(issuer.issuer)
          .setAudience(issuer.audience)
          .setSubject("somebody")
          .setExpirationTime(expires)
          .sign(key);
      const ask = (token: string, model = "gpt-4.1") =>
        openaiClient(gateway.url, token).chat.completions.create({ model, messages: [{ role: "user", content: "Hello" }] });

      const { request_id } = await ask(await sign(privateKey, "5m")).withResponse();
      expect(await receiptOf(gateway.url, tenant.key, request_id ?? "")).toMatchObject({
        tenantId: tenant.id,
        keyId: expect.stringMatching(/^oidc:/),
      });
      // It opens calls, and not what shows whether a text is one that somebody else of the tenant sent.
      const digestKeys = await fetch(`${gateway.url}/v1/strait/digest-keys`, {
        headers: { authorization: `Bearer ${await sign(privateKey, "5m")}` },
      });
      expect([digestKeys.status, await digestKeys.text()]).toEqual([403, expect.stringContaining("keys without a scope")]);
      const scoped = await sign(privateKey, "5m", { strait_models: "gpt-4o" });
      await ask(scoped, "gpt-4o");
      expect(await errorOf(ask(scoped))).toBeInstanceOf(OpenAI.PermissionDeniedError);
      expect(await errorOf(ask(await sign(privateKey, "-5m")))).toMatchObject({ status: 401, code: "expired_api_key" });
      const stranger = await generateKeyPair("ES256");
      expect(await errorOf(ask(await sign(stranger.privateKey, "5m")))).toMatchObject({ status: 401, code: "invalid_api_key" });
    });
  });
}
