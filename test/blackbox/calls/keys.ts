import { describe, expect, test } from "vitest";
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
      const response = await fetch(`${gateway.url}${path}`, { method: "POST", headers: { "content-type": "application/json", ...headers(tenant.key) }, body });
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
}
