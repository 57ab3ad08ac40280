import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import { describe, expect, test } from "vitest";
import type { IssuedRevocationDocument, RevocationStateDocument } from "../../../src/control/revocation-documents.ts";
import { catalogue, regionsWithin } from "../harness/catalogue.ts";
import { anthropicClient, errorOf, openaiClient } from "../harness/clients.ts";
import { eventually, receiptLater } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
/** From an order to the last byte of what it cuts; of hundreds at once the drills measure it. */
const withinMs = 1_000;

interface Cut {
  readonly requestId: string;
  readonly error: unknown;
  readonly events: number;
}

export function revocation(context: () => Context): void {
  /** A slow stream of a tenant of its own, in one country alone; `begun` resolves once content came. */
  const slow = async (
    kind: "openai" | "anthropic",
  ): Promise<{ tenant: { id: string; keyId: string; key: string }; model: string; begun: Promise<void>; cut: Promise<Cut> }> => {
    const { gateway, operator } = context();
    const [model, country] = kind === "openai" ? ["gpt-4o-mini", "KR"] : ["claude-haiku-4-5", "US"];
    const tenant = await operator.addTenant({ allowCountries: [country] });
    for (const region of regionsWithin(model, [country])) gateway.faults(region, [{ kind: "slow", delayMs: 60 }]);
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const run = async (): Promise<Cut> => {
      const { data, request_id } =
        kind === "openai"
          ? await openaiClient(gateway.url, tenant.key).chat.completions.create({ model, messages, stream: true }).withResponse()
          : await anthropicClient(gateway.url, tenant.key)
              .messages.create({ model, max_tokens: 2_000, messages, stream: true })
              .withResponse();
      let events = 0;
      try {
        for await (const _event of data) if (++events === 3) begin();
      } catch (error) {
        return { requestId: request_id ?? "", error, events };
      }
      throw new Error(`the stream ended after ${events} events, and should have been cut`);
    };
    return { tenant, model, begun, cut: run() };
  };
  const revoke = (scope: Readonly<Record<string, string>>): Promise<IssuedRevocationDocument> =>
    context().operator.ask("POST", "/revocations", { reason: "black box", ...scope });
  const restore = (id: string): Promise<unknown> => context().operator.ask("POST", `/revocations/${id}/restore`);

  describe("what an operator revokes", () => {
    test("is not among the models that the tenant may list, until it is restored", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant();
      const listed = async (): Promise<readonly string[]> =>
        (await openaiClient(gateway.url, tenant.key).models.list()).data.map(({ id }) => id);
      expect(await listed()).toContain("gpt-4.1");
      const order = await revoke({ tenant: tenant.id, model: "gpt-4.1" });
      expect(await listed()).not.toContain("gpt-4.1");
      expect(await listed()).toContain("gpt-4o-mini");
      await restore(order.id);
      await eventually(async () => expect(await listed()).toContain("gpt-4.1"), withinMs);
    });

    test.each([
      ["openai", "tenant", OpenAI.APIError],
      ["openai", "key", OpenAI.APIError],
      ["anthropic", "tenant", Anthropic.APIError],
    ] as const)("is cut in the middle of a stream (%s, by %s), and refused until it is restored", async (kind, by, raised) => {
      const { gateway, operator } = context();
      const { tenant, model, begun, cut } = await slow(kind);
      await begun;
      const orderedAtMs = performance.now();
      const order = await revoke(by === "tenant" ? { tenant: tenant.id, model } : { key: tenant.keyId });
      const { error, requestId } = await cut;
      expect(performance.now() - orderedAtMs).toBeLessThan(withinMs);
      expect(error).toBeInstanceOf(raised);
      expect((error as Error).message).toContain(order.id);
      expect(await receiptLater(gateway.url, tenant.key, requestId)).toMatchObject({
        end: "revoked",
        revokedBy: order.id,
        status: 200,
        usageSource: "estimated",
      });
      const again =
        kind === "openai"
          ? openaiClient(gateway.url, tenant.key).chat.completions.create({ model, messages })
          : anthropicClient(gateway.url, tenant.key).messages.create({ model, max_tokens: 50, messages });
      expect(await errorOf(again)).toMatchObject({ status: 403 });
      await eventually(async () => {
        const state = await operator.ask<RevocationStateDocument>("GET", `/revocations/${order.id}`);
        expect(state).toMatchObject({ complete: true, missing: [], state: "in_force" });
        expect(state.acknowledgements.reduce((sum, one) => sum + one.cut, 0)).toBe(1);
        expect(state.acknowledgements.reduce((sum, one) => sum + one.ended, 0)).toBe(1);
        expect(state.acknowledgements.some((one) => one.lastByteAt !== null)).toBe(true);
      }, 10_000);
      await operator.ask("POST", `/revocations/${order.id}/receipt`);
      const { audit } = await operator.ask<{ audit: { action: string; detail: { order: string } }[] }>("GET", "/audit?count=20");
      expect(audit.filter(({ detail }) => detail.order === order.id).map(({ action }) => action)).toEqual([
        "revocation.receipt",
        "revocation.issue",
      ]);
      await restore(order.id);
      for (const id of catalogue.regions.keys()) gateway.faults(id, []);
      await eventually(async () => {
        if (kind === "openai") await openaiClient(gateway.url, tenant.key).chat.completions.create({ model, messages });
        else await anthropicClient(gateway.url, tenant.key).messages.create({ model, max_tokens: 50, messages });
      });
    });

    test("is answered from elsewhere where only a country is cut off, and refused where that was all", async () => {
      const { gateway, operator } = context();
      const client = openaiClient(gateway.url, (await operator.addTenant({ allowCountries: ["KR", "GB"] })).key);
      const korea = await revoke({ country: "KR", model: "gpt-4o-mini" });
      for (let round = 0; round < 5; round++) {
        const { response } = await client.chat.completions.create({ model: "gpt-4o-mini", messages }).withResponse();
        expect(response.headers.get("x-strait-countries")).toBe("GB");
      }
      const britain = await revoke({ country: "GB", model: "gpt-4o-mini" });
      const refused = await errorOf(client.chat.completions.create({ model: "gpt-4o-mini", messages }));
      expect(refused).toBeInstanceOf(OpenAI.PermissionDeniedError);
      expect(refused).toMatchObject({ code: "revoked", headers: expect.anything() });
      await restore(korea.id);
      await restore(britain.id);
    });

    test("must name something that is known, and is listed", async () => {
      const { operator } = context();
      await expect(revoke({})).rejects.toThrow(/at least one of model/);
      await expect(revoke({ model: "gpt-4o-minni" })).rejects.toThrow(/Did you mean/);
      await expect(restore("revocation_0")).rejects.toThrow(/404/);
      const order = await revoke({ tenant: "nobody_at_all", expiresAt: new Date(Date.now() + 600_000).toISOString() });
      const { revocations } = await operator.ask<{ revocations: { id: string }[] }>("GET", "/revocations");
      expect(revocations[0]).toMatchObject({ id: order.id, tenant: "nobody_at_all", state: "in_force", by: "operator" });
      await restore(order.id);
    });
  });

  test.each([
    ["a key is revoked", "key"],
    ["a tenant is suspended", "tenant"],
  ] as const)("a stream is cut when %s", async (_name, what) => {
    const { gateway, operator } = context();
    const { tenant, begun, cut } = await slow("openai");
    const other = await operator.issueKey(tenant.id);
    await begun;
    const orderedAtMs = performance.now();
    if (what === "key") await operator.revokeKey(tenant);
    else await operator.verification(tenant.id, "suspended");
    const { error, requestId } = await cut;
    expect(performance.now() - orderedAtMs).toBeLessThan(withinMs);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    if (what === "tenant") await operator.verification(tenant.id, "verified");
    expect(await receiptLater(gateway.url, other.key, requestId)).toMatchObject({
      end: "revoked",
      // Both ways tell of it, and either may be first.
      revokedBy: expect.stringMatching(new RegExp(`^(${what}$|revocation_)`)),
    });
  });
}
