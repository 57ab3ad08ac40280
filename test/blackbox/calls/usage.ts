import { describe, expect, test, vi } from "vitest";
import { openaiClient } from "../harness/clients.ts";
import type { Operator } from "../harness/operator.ts";
import type { Context } from "./context.ts";

const chat = { model: "gpt-4.1", max_tokens: 20, messages: [{ role: "user" as const, content: "Where do you run?" }] };

interface Usage {
  readonly usage: readonly Readonly<Record<string, unknown>>[];
  readonly total: { readonly requests: number; readonly chargedTokens: number };
}

export function usage(context: () => Context): void {
  describe("usage", () => {
    test("is shown to the tenant as soon as an answer has ended, and to the operator across tenants soon after", async () => {
      const { gateway, operator } = context();
      const tenants = [await operator.addTenant(), await operator.addTenant()];
      let tokens = 0;
      for (const tenant of tenants) {
        const answer = await openaiClient(gateway.url, tenant.key).chat.completions.create(chat);
        tokens += answer.usage?.total_tokens ?? Number.NaN;
      }
      const [first] = tenants;
      const own = await fetch(`${gateway.url}/v1/strait/usage?by=model,key`, {
        headers: { authorization: `Bearer ${first?.key ?? ""}` },
      });
      expect(own.status).toBe(200);
      expect(await own.json()).toMatchObject({
        usage: [{ model: "gpt-4.1", key: first?.keyId, requests: 1 }],
        total: { requests: 1 },
      });
      const seen = await vi.waitUntil(
        async () => {
          const { usage: rows } = await operator.ask<Usage>("GET", "/usage?by=tenant");
          const ours = rows.filter((row) => tenants.some(({ id }) => id === row["tenant"]));
          return ours.length === 2 && ours;
        },
        { timeout: 15_000, interval: 250 },
      );
      expect(seen.reduce((sum, row) => sum + Number(row["chargedTokens"]), 0)).toBe(tokens);
      expect(seen.map((row) => row["requests"])).toEqual([1, 1]);
    });

    test("is exported receipt by receipt, across tenants and of one", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const { response } = await openaiClient(gateway.url, tenant.key).chat.completions.create(chat).withResponse();
      const id = response.headers.get("x-request-id") ?? "";
      expect(await exported(operator, `&tenant=${tenant.id}`)).toEqual([id]);
      await vi.waitUntil(async () => (await exported(operator, "")).includes(id), { timeout: 15_000, interval: 250 });
    });

    test("agrees with the counters", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({
        limits: [{ name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 100_000 }],
      });
      await openaiClient(gateway.url, tenant.key).chat.completions.create(chat);
      const report = await operator.ask<{ counters: readonly { verdict: string; counted: number }[] }>(
        "GET",
        `/tenants/${tenant.id}/reconciliation`,
      );
      expect(report.counters.map(({ verdict }) => verdict)).toEqual(["equal"]);
      expect(report.counters[0]?.counted).toBeGreaterThan(0);
    });
  });
}

async function exported(operator: Operator, query: string): Promise<readonly string[]> {
  const lines = await operator.text("GET", `/usage/export?format=jsonl${query}`);
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { requestId: string }).requestId);
}
