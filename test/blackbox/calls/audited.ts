import type { APIError } from "openai";
import { describe, expect, test } from "vitest";
import type { Receipt, RefusalReceipt } from "../../../src/ledger/receipt.ts";
import { catalogue, regionsWithin, shipped } from "../harness/catalogue.ts";
import { anthropicClient, drain, errorOf, openaiClient } from "../harness/clients.ts";
import type { TestTenant } from "../harness/operator.ts";
import { receiptOf } from "../harness/receipts.ts";
import type { Context } from "./context.ts";

const messages = [{ role: "user" as const, content: "Where do you run?" }];
const digest = expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/) as string;
const shownBy = { evidence: "test", asOf: expect.any(String) as string };

/** What an auditor asks of one request, whichever way it went: question by question, in the receipt alone. */
export function audited(context: () => Context): void {
  async function ask(tenant: TestTenant, model: string, stream = false): Promise<Receipt> {
    const { gateway } = context();
    const { data, response } = await openaiClient(gateway.url, tenant.key)
      .chat.completions.create({ model, messages, stream: stream as true })
      .withResponse();
    if (stream) await drain(data);
    return receiptOf(gateway.url, tenant.key, response.headers.get("x-request-id") ?? "");
  }

  /** Asks until one went the way that is looked for: which deployment is first is a matter of chance. */
  async function askUntil(tenant: TestTenant, model: string, went: (receipt: Receipt) => boolean): Promise<Receipt> {
    for (let round = 0; round < 40; round++) {
      const receipt = await ask(tenant, model);
      if (went(receipt)) return receipt;
    }
    throw new Error("none of 40 requests went that way");
  }

  async function refused(tenant: TestTenant, call: PromiseLike<unknown>): Promise<RefusalReceipt> {
    const { headers } = (await errorOf(call)) as APIError;
    return (await receiptOf(context().gateway.url, tenant.key, headers?.get("x-request-id") ?? "")) as unknown as RefusalReceipt;
  }

  /** Who asked, by which documents; by what it was decided; where this gateway is. */
  function whoAndHow(tenant: TestTenant): object {
    return {
      tenantId: tenant.id,
      legalEntity: `Test ${tenant.id}`,
      keyId: tenant.keyId,
      inputs: {
        atMs: expect.any(Number) as number,
        tenant: {
          state: "verified",
          stateEvidence: "test",
          stateSince: expect.any(String) as string,
          registeredCountry: shownBy,
          headquartersCountry: shownBy,
          ultimateParentCountry: shownBy,
          endUse: shownBy,
          audience: shownBy,
          ownership: { holdings: [{ ...shownBy, basisPoints: 10_000 }] },
        },
      },
      digestKeyId: expect.stringMatching(/^dk_/) as string,
      requestDigest: digest,
      policyVersion: shipped.policy.version,
      policyDigest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      catalogueDigest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      gatewayPlace: expect.stringMatching(/\S/) as string,
    };
  }

  /** What each hop was, and that no place but the deployment's own is said of it. */
  function expectHops(receipt: Receipt): void {
    for (const hop of receipt.attempts) {
      const declared = catalogue.deployments.get(hop.deployment);
      expect(hop).toMatchObject({
        sku: declared?.sku,
        endpointHost: expect.stringMatching(/\S/) as string,
        countries: expect.stringMatching(/\S/) as string,
        upstreamRequestId: expect.stringMatching(/\S/) as string,
        outcome: expect.stringMatching(/\S/) as string,
      });
      expect(hop.endedAtMs).toBeGreaterThanOrEqual(hop.startedAtMs);
    }
  }

  describe("what an auditor asks of one request", () => {
    test("is in its receipt where it was served", async () => {
      const tenant = await context().operator.addTenant({ country: "CN" });
      const receipt = await ask(tenant, "gpt-4.1-2025-04-14");
      const declared = catalogue.deployments.get(receipt.deployment ?? "");
      expect(receipt).toMatchObject({
        ...whoAndHow(tenant),
        modelAsked: "gpt-4.1-2025-04-14",
        model: "gpt-4.1",
        answerDigest: digest,
        usage: { inputTokens: expect.any(Number) as number, outputTokens: expect.any(Number) as number },
        endpointHost: expect.stringMatching(/\S/) as string,
        sku: declared?.sku,
        countries: expect.stringMatching(/^[A-Z]{2}/) as string,
        evidence: { servedModel: expect.stringContaining("gpt-4.1") as string, upstreamRequestId: expect.any(String) as string },
        evidenceGrade: declared?.evidence,
        rules: expect.arrayContaining(["offshore-only"]) as string[],
        heldTokens: expect.any(Number) as number,
        heldMicroUsd: expect.any(Number) as number,
        chargedTokens: expect.any(Number) as number,
        costMicroUsd: expect.any(Number) as number,
        startedAtMs: expect.any(Number) as number,
        firstByteAtMs: expect.any(Number) as number,
        endedAtMs: expect.any(Number) as number,
        attempts: [{ deployment: receipt.deployment, outcome: "answered", status: 200 }],
      });
      expect(receipt.candidatesRefused).toContainEqual({
        rule: "hosting:gpt-4.1",
        reason: expect.stringContaining("CN") as string,
        deployments: expect.arrayContaining([expect.stringMatching(/^china/)]) as string[],
      });
      // Every candidate was either refused for a reason or could have served.
      const named = new Set(receipt.candidatesRefused?.flatMap(({ deployments }) => deployments));
      expect(named.has(receipt.deployment ?? "")).toBe(false);
      expectHops(receipt);
    });

    test("is in its receipt where the policy refused it, with what spoke against each deployment", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ country: "CN" });
      const model = "claude-sonnet-4-5";
      const call = anthropicClient(gateway.url, tenant.key).messages.create({ model, max_tokens: 20, messages });
      const receipt = await refused(tenant, call);
      expect(receipt).toMatchObject({
        ...whoAndHow(tenant),
        modelAsked: model,
        end: "refused",
        status: 403,
        refusal: { kind: "policy_denied", reasons: expect.arrayContaining(["ownership"]) as string[] },
      });
      const candidates = (catalogue.deploymentsByModel.get(model) ?? []).map(({ id }) => id);
      const named = receipt.candidatesRefused?.flatMap(({ deployments }) => deployments) ?? [];
      expect(named.toSorted()).toEqual(candidates.toSorted());
      for (const { rule, reason } of receipt.candidatesRefused ?? []) expect([rule, reason]).not.toContain("");
    });

    test("is in its receipt where a second deployment answered: both hops, each with the id that its upstream gave", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["KR", "GB"] });
      for (const region of regionsWithin("gpt-4o-mini", ["KR"])) gateway.faults(region, [{ kind: "status", status: 500 }]);
      const receipt = await askUntil(tenant, "gpt-4o-mini", ({ attempts }) => attempts.length === 2);
      expect(receipt).toMatchObject({
        ...whoAndHow(tenant),
        end: "completed",
        countries: "GB",
        attempts: [
          { countries: "KR", status: 500, outcome: "status_500" },
          { countries: "GB", status: 200, outcome: "answered" },
        ],
      });
      expectHops(receipt);
      expect(receipt.attempts[0]?.upstreamRequestId).not.toBe(receipt.attempts[1]?.upstreamRequestId);
      expect(receipt.evidence.upstreamRequestId).toBe(receipt.attempts[1]?.upstreamRequestId);
    });

    test("is in its receipt where a full deployment spilled over to another that is permitted", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["JP"] });
      const deployment = "gpt-4o-provisioned";
      gateway.faults("japaneast", [{ kind: "spillover", deployment, from: deployment, to: "gpt-4o" }]);
      const receipt = await askUntil(tenant, "gpt-4o", ({ evidence }) => evidence.spilloverFrom !== undefined);
      expect(receipt).toMatchObject({
        deployment: "japaneast/gpt-4o",
        sku: "Standard",
        evidence: { deploymentName: "gpt-4o", spilloverFrom: deployment, region: expect.stringMatching(/\S/) as string },
        attempts: [{ deployment: `japaneast/${deployment}`, sku: "ProvisionedManaged" }],
      });
    });

    test("is in its receipt where its stream was cut: what was sent, and what it was charged", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["SE"] });
      for (const region of regionsWithin("gpt-4o", ["SE"]))
        gateway.faults(region, [{ kind: "reset", afterEvents: 6, afterMs: 150 }]);
      const receipt = await ask(tenant, "gpt-4o", true);
      expect(receipt).toMatchObject({
        ...whoAndHow(tenant),
        end: "upstream_failed",
        status: 200,
        refusal: { kind: "upstream_cut_off" },
        answerDigest: digest,
        countries: "SE",
        usageSource: "estimated",
      });
      expect(receipt.chargedTokens).toBeLessThanOrEqual(receipt.heldTokens);
      expectHops(receipt);
    });

    test("is in its receipt where an order took deployments away, or all of them", async () => {
      const { gateway, operator } = context();
      const tenant = await operator.addTenant({ allowCountries: ["KR", "GB"] });
      const revoke = (country: string): Promise<{ id: string }> =>
        operator.ask("POST", "/revocations", { reason: "test", country, tenant: tenant.id });
      const korea = await revoke("KR");
      const served = await ask(tenant, "gpt-4o-mini");
      const deploymentsIn = (country: string): string[] =>
        (catalogue.deploymentsByModel.get("gpt-4o-mini") ?? [])
          .filter(({ region }) => regionsWithin("gpt-4o-mini", [country]).includes(region.id))
          .map(({ id }) => id);
      expect(served).toMatchObject({
        countries: "GB",
        candidatesCutOff: [{ order: korea.id, deployments: deploymentsIn("KR") }],
      });
      const britain = await revoke("GB");
      const call = openaiClient(gateway.url, tenant.key).chat.completions.create({ model: "gpt-4o-mini", messages });
      const receipt = await refused(tenant, call);
      expect(receipt).toMatchObject({
        ...whoAndHow(tenant),
        refusal: { kind: "revoked", reasons: [expect.stringMatching(`${korea.id}|${britain.id}`)] },
        candidatesRefused: expect.any(Array) as unknown[],
      });
      for (const { id } of [korea, britain]) await operator.ask("POST", `/revocations/${id}/restore`);
    });
  });
}
