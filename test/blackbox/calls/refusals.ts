import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import { anthropicClient, azureClient, errorOf, openaiClient } from "../harness/clients.ts";
import { reached } from "../harness/gateway-under-test.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Hello" }];

/** One call in each dialect, each by the model that its surface has; what it was refused with comes back. */
type Call = (url: string, key: string, model?: string) => Promise<unknown>;
const calls: Readonly<Record<"openai" | "azure" | "anthropic", Call>> = {
  openai: (url, key, model = "gpt-4.1") => errorOf(openaiClient(url, key).chat.completions.create({ model, messages })),
  azure: (url, key, model = "gpt-4.1") => errorOf(azureClient(url, key).chat.completions.create({ model, messages })),
  anthropic: (url, key, model = "claude-haiku-4-5") =>
    errorOf(anthropicClient(url, key).messages.create({ model, max_tokens: 20, messages })),
};
const dialects = ["openai", "azure", "anthropic"] as const;

/** What the SDK made of a refusal: the class by its status, and the code by which a program tells what to do. */
function told(error: unknown): { readonly status: unknown; readonly code: unknown; readonly retry: unknown } {
  if (error instanceof OpenAI.APIError)
    return { status: error.status, code: error.code ?? null, retry: error.headers?.get("x-should-retry") ?? null };
  if (error instanceof Anthropic.APIError)
    return { status: error.status, code: error.type, retry: error.headers?.get("x-should-retry") ?? null };
  throw new Error(`the SDK raised no error of an API: ${String(error)}`);
}

export function refusals(context: () => Context): void {
  describe.each(dialects)("the SDK for %s raises", (dialect) => {
    const anthropic = dialect === "anthropic";
    const call = calls[dialect];
    const codeOf = (codes: Readonly<Record<typeof dialect, unknown>>) => codes[dialect];
    const errors = anthropic ? Anthropic : OpenAI;

    test("AuthenticationError for a key that is wrong, revoked, expired or of no tenant, and is told not to try again", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const wrong = tenant.key.slice(0, -4) + (tenant.key.endsWith("AAAA") ? "BBBB" : "AAAA");
      const nobody = tenant.key.replace(tenant.id, "nobody_at_all");
      const expiring = await operator.issueKey(tenant.id, { expiresAt: new Date(Date.now() + 400).toISOString() });
      await new Promise((resolve) => {
        setTimeout(resolve, 500);
      });
      const revoked = await operator.issueKey(tenant.id);
      await operator.revokeKey({ ...tenant, keyId: revoked.id });
      const invalid = { openai: "invalid_api_key", azure: "401", anthropic: "authentication_error" };
      const expected = [
        ["not a key", invalid],
        [wrong, invalid],
        [nobody, invalid],
        [expiring.key, { ...invalid, openai: "expired_api_key" }],
        [revoked.key, { ...invalid, openai: "revoked_api_key" }],
      ] as const;
      for (const [key, codes] of expected) {
        const error = await call(gateway.url, key);
        expect(error).toBeInstanceOf(errors.AuthenticationError);
        expect(told(error)).toEqual({ status: 401, code: codeOf(codes), retry: "false" });
      }
    });

    test("PermissionDeniedError for a tenant that is not verified, and names the state", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      for (const state of ["suspended", "under_review", "closed"]) {
        await operator.verification(tenant.id, state);
        const error = await call(gateway.url, tenant.key);
        expect(error).toBeInstanceOf(errors.PermissionDeniedError);
        expect(told(error)).toEqual({
          status: 403,
          code: codeOf({ openai: "tenant_not_verified", azure: "tenant_not_verified", anthropic: "permission_error" }),
          retry: "false",
        });
        expect(String(error)).toMatch(new RegExp(`verification is \\\\?"${state}`));
      }
    });

    test("PermissionDeniedError where the policy refuses, with the code of geography and the rule's own words", async () => {
      const { gateway, operator } = context();
      const before = gateway.stats();
      const error = anthropic
        ? await call(gateway.url, (await operator.addTenant({ country: "CN" })).key)
        : await call(gateway.url, (await operator.addTenant({ country: "SG", allowCountries: ["SG"] })).key);
      expect(error).toBeInstanceOf(errors.PermissionDeniedError);
      const geography = "unsupported_country_region_territory";
      expect(told(error)).toEqual({
        status: 403,
        code: codeOf({ openai: geography, azure: geography, anthropic: "permission_error" }),
        retry: "false",
      });
      expect(String(error)).toMatch(
        anthropic ? /Anthropic does not serve companies .*\(rule ownership: .*anthropic-ownership/ : /\(rule [a-z_]+: /,
      );
      expect(reached(before, gateway.stats())).toEqual({});
    });

    test("PermissionDeniedError for what the key's scope leaves out", async () => {
      const { gateway, operator, tenant } = context();
      const byModel = await operator.issueKey(tenant.id, { models: ["gpt-4o"] });
      const bySurface = await operator.issueKey(tenant.id, { surfaces: ["embeddings"] });
      for (const { key } of [byModel, bySurface])
        expect(await call(gateway.url, key)).toBeInstanceOf(errors.PermissionDeniedError);
    });

    test("NotFoundError for a model that is unknown, not entitled, or not served on this surface", async () => {
      const { gateway, operator, tenant } = context();
      const standard = await operator.addTenant({ tiers: ["standard"] });
      const found = [
        await call(gateway.url, tenant.key, "gpt-17"),
        await call(gateway.url, standard.key, anthropic ? "claude-opus-4-5" : "gpt-5"),
        await call(gateway.url, tenant.key, anthropic ? "gpt-4.1" : "text-embedding-3-small"),
      ];
      for (const error of found) {
        expect(error).toBeInstanceOf(errors.NotFoundError);
        expect(told(error)).toEqual({
          status: 404,
          code: codeOf({ openai: "model_not_found", azure: "DeploymentNotFound", anthropic: "not_found_error" }),
          retry: "false",
        });
      }
    });
  });

  describe("a request without a key", () => {
    test.each([
      [
        "/v1/chat/completions",
        { error: { type: "invalid_request_error", code: null, param: null, message: expect.any(String) } },
      ],
      ["/openai/v1/chat/completions", { error: { code: "401", message: expect.any(String) } }],
      [
        "/v1/messages",
        { type: "error", error: { type: "authentication_error", message: expect.any(String) }, request_id: expect.any(String) },
      ],
    ] as const)("to %s is refused in the dialect of its path", async (path, body) => {
      const response = await fetch(`${context().gateway.url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: "{}",
      });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toBe("Bearer");
      expect(await response.json()).toMatchObject(body);
    });
  });
}
