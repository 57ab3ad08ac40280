import type { PlaceMismatches } from "../../src/place-mismatches.ts";
import type { ShadowCounts } from "../../src/shadow-counts.ts";
import type { Receipt } from "../../src/ledger/receipt.ts";
import { unknownUsage } from "../../src/upstream/usage.ts";
import { periodsOf, type Amounts, type AppliedLimit } from "../../src/quota/limit.ts";
import type { LimitSetting } from "../../src/tenant/limit-setting.ts";
import type { ReservationRequest } from "../../src/quota/store.ts";
import type { AuditEntry } from "../../src/tenant/directory.ts";
import type { DirectoryEntry } from "../../src/tenant/tenant.ts";
import { worldBeginsMs } from "./store-world.ts";

export function limit(
  name: string,
  unit: LimitSetting["unit"],
  window: LimitSetting["window"],
  ceiling: number,
  burst?: number,
): AppliedLimit {
  return apply({ name, unit, window, ceiling, burst, key: undefined, model: undefined });
}

/** With the periods around the moment at which every world begins, as a gateway with a clock of its own would send them. */
export function apply(setting: LimitSetting, scope = "", timeZone?: string, nowMs: number = worldBeginsMs): AppliedLimit {
  return { setting, counter: `${setting.name}${scope}`, periods: periodsOf(setting, timeZone, nowMs) };
}

/** Tokens as input and output, three to one. */
export function amounts(tokens: number, microUsd = 0): Amounts {
  const outputTokens = Math.floor(tokens / 4);
  return { requests: 1, tokens, inputTokens: tokens - outputTokens, outputTokens, microUsd };
}

export function reservation(
  id: string,
  limits: readonly AppliedLimit[],
  hold: Amounts,
  more: Partial<ReservationRequest> = {},
): ReservationRequest {
  return { id, tenantId: "acme", limits, hold, leaseMs: 60_000, intent: `{"requestId":"${id}"}`, ...more };
}

export function receipt(requestId: string, more: Partial<Receipt> = {}): Receipt {
  return {
    requestId,
    tenantId: "acme",
    keyId: "key_1",
    dialect: "openai",
    surface: "chat.completions",
    modelAsked: "model-a",
    model: "model-a",
    deployment: "somewhere/model-a",
    region: "somewhere",
    sku: "Standard",
    countries: "SE",
    evidence: { region: "Somewhere", inferenceGeo: undefined, servedModel: undefined, upstreamRequestId: undefined },
    evidenceGrade: "contractual-geography",
    policyVersion: "1",
    catalogueDigest: "digest",
    rules: ["rule-1"],
    gatewayPlace: "SE",
    attempts: [],
    stream: false,
    status: 200,
    end: "completed",
    usage: { ...unknownUsage, inputTokens: 10, outputTokens: 0 },
    usageSource: "reported",
    heldTokens: 100,
    heldMicroUsd: 1_000,
    chargedTokens: 10,
    costMicroUsd: 25,
    responseId: undefined,
    traceId: undefined,
    startedAtMs: 1_000,
    firstByteAtMs: undefined,
    endedAtMs: 2_000,
    ...more,
  };
}

export function directoryEntry(id: string, revision: number, name = "Acme"): DirectoryEntry {
  return {
    revision,
    tenant: {
      id,
      name,
      facts: {
        registeredCountry: "SE",
        headquartersCountry: "SE",
        ultimateParentCountry: undefined,
        endUse: undefined,
        audience: undefined,
      },
      verification: { state: "verified", since: "2026-01-01T00:00:00Z", evidence: undefined },
      tiers: ["frontier"],
      allowCountries: undefined,
      denyCountries: [],
      leastEvidence: undefined,
      oidc: undefined,
      createdAt: "2026-01-01T00:00:00Z",
    },
    keys: [],
    limits: [],
  };
}

export function auditEntry(id: string, tenantId: string, action = "tenant.add"): AuditEntry {
  return { id, at: "2026-03-31T23:59:00Z", actor: "operator", action, tenantId, detail: { of: id } };
}

export function mismatches(
  deployment: string,
  replica: string,
  answers: number,
  more: Partial<PlaceMismatches> = {},
): PlaceMismatches {
  const last = { last: `mismatch ${answers}`, lastRequest: `req_${answers}` };
  return { deployment, replica, answers, connections: 0, firstAtMs: 1_000, lastAtMs: 1_000 + answers, ...last, ...more };
}

export function shadowCounts(candidate: string, replica: string, compared: number): ShadowCounts {
  const difference = {
    tenantId: "acme",
    model: "model-a",
    surface: "chat.completions",
    activeRefusal: undefined,
    candidateRefusal: "policy_denied",
    activeModel: "model-a",
    candidateModel: undefined,
    lost: ["somewhere/model-a"],
    gained: [],
  };
  const differences = [{ ...difference, requests: compared, firstAtMs: 1_000, lastAtMs: 1_000 + compared }];
  return { candidate, replica, compared, different: compared, differences, unlisted: 0 };
}
