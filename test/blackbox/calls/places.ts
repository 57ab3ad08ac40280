import type { APIError } from "openai";
import { describe, expect, test } from "vitest";
import type { PlaceMismatchListDocument } from "../../../src/control/place-mismatch-routes.ts";
import type { Fault } from "../../../src/simulator/faults.ts";
import { anthropicClient, azureClient, drain, errorOf, openaiClient } from "../harness/clients.ts";
import { regionsWithin } from "../harness/catalogue.ts";
import { eventually, receiptOf } from "../harness/receipts.ts";
import type { Context, Guarantees } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];

interface Order {
  readonly id: string;
  readonly by: string;
  readonly state: string;
  readonly deployment: string | null;
}

/** Each test quarantines deployments of its own, and restores them behind it. */
export function places(context: () => Context, { addressCheck }: Pick<Guarantees, "addressCheck">): void {
  const quarantines = async (): Promise<readonly Order[]> => {
    const { revocations } = await context().operator.ask<{ revocations: readonly Order[] }>("GET", "/revocations");
    return revocations.filter(({ by, state }) => by === "gateway" && state === "in_force");
  };
  const restoreAll = async (): Promise<void> => {
    for (const { id } of await quarantines()) await context().operator.ask("POST", `/revocations/${id}/restore`);
  };

  /** The regions of a country, all of which do this. */
  const faulty = (model: string, country: string, fault: Fault): void => {
    for (const region of regionsWithin(model, [country])) context().gateway.faults(region, [fault]);
  };

  describe("an upstream that answers from elsewhere than declared", () => {
    const lies: readonly (readonly [string, string, Fault, boolean])[] = [
      ["another region in its head", "KR", { kind: "wrong-region", region: "East Asia" }, false],
      ["another region, of a stream", "IN", { kind: "wrong-region", region: "East Asia" }, true],
      ["a spillover to a deployment that is not declared", "BR", { kind: "spillover", to: "our-global" }, false],
      ["another model", "CA", { kind: "served-model", model: "gpt-unheard" }, true],
    ];

    test.each(lies)("by %s, has its answer withheld and is out of use until restored", async (_what, country, fault, stream) => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: [country] });
      const client = openaiClient(gateway.url, tenant.key);
      const ask = () => client.chat.completions.create({ model: "gpt-4o", messages, stream: stream as true });
      faulty("gpt-4o", country, fault);
      const error = (await errorOf(ask())) as APIError;
      expect(error).toMatchObject({ status: 502, code: "place_mismatch" });
      const requestId = error.headers?.get("x-request-id") ?? "";
      const receipt = await receiptOf(gateway.url, tenant.key, requestId);
      expect(receipt).toMatchObject({ status: 502, end: "upstream_failed", evidenceGrade: "none", chargedTokens: 0 });
      expect(receipt.attempts.map(({ outcome }) => outcome)).toContain("place_mismatch");
      const ordered = await quarantines();
      expect(ordered.map(({ deployment }) => deployment)).toContain(receipt.deployment);
      const shown = await operator.ask<PlaceMismatchListDocument>("GET", "/place-mismatches");
      expect(shown.placeMismatches).toContainEqual(
        expect.objectContaining({ deployment: receipt.deployment, answers: 1, connections: 0, lastRequest: requestId }),
      );
      const { acknowledgements = [] } = shown.quarantined.find(({ deployment }) => deployment === receipt.deployment) ?? {};
      expect(acknowledgements.length).toBeGreaterThan(0);
      await eventually(() => expect(gateway.output()).toContain("is taken out of use"));
      faulty("gpt-4o", country, { kind: "slow", afterMs: 0 });
      const refused = (await errorOf(ask())) as APIError;
      expect(refused).toMatchObject({ status: 503, code: "quarantined" });
      expect(refused.headers?.get("x-should-retry")).toBe("false");
      const azure = azureClient(gateway.url, tenant.key);
      const toAzure = await errorOf(azure.chat.completions.create({ model: "gpt-4o", messages }));
      expect(toAzure).toMatchObject({
        status: 503,
        code: "ServiceUnavailable",
        message: expect.stringContaining("contradicted"),
      });
      await restoreAll();
      const { data, response } = await ask().withResponse();
      if (stream) expect((await drain(data)).error).toBeUndefined();
      expect(response.status).toBe(200);
    });

    test("by an inference_geo that is not the declared one, shows nothing of its stream", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["US"] });
      gateway.faults("anthropic-us", [{ kind: "wrong-region", region: "global" }]);
      const client = anthropicClient(gateway.url, tenant.key);
      const ask = () => client.messages.create({ model: "claude-sonnet-4-5", max_tokens: 40, messages, stream: true });
      expect(await errorOf(ask())).toMatchObject({ status: 502 });
      expect(await errorOf(ask())).toMatchObject({
        status: 503,
        error: { error: { type: "api_error", message: expect.stringContaining("contradicted") } },
      });
      gateway.faults("anthropic-us", []);
      await restoreAll();
    });
  });

  test("a receipt says what was connected to, and by what that was checked", async () => {
    const { gateway, tenant } = context();
    const { response } = await openaiClient(gateway.url, tenant.key)
      .chat.completions.create({ model: "gpt-4.1", messages })
      .withResponse();
    const { evidence } = await receiptOf(gateway.url, tenant.key, response.headers.get("x-request-id") ?? "");
    expect(evidence.addressCheck).toBe(addressCheck);
    expect(evidence.connectedAddress).toBe(addressCheck === "local" ? "127.0.0.1" : undefined);
  });
}
