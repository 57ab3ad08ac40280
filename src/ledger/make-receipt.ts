import type { ModelRequest } from "../dialect/model-request.ts";
import type { Permit } from "../policy/permit.ts";
import { isWithdrawal, type Refusal } from "../refusal.ts";
import type { Deployment } from "../region/catalogue.ts";
import { endpointHost } from "../region/endpoint-host.ts";
import { priceAt } from "../region/price-at.ts";
import { showCountries } from "../region/country.ts";
import type { Hold } from "../quota/estimate.ts";
import type { Caller } from "../tenant/authenticate.ts";
import { servedBy, type Forwarded } from "../upstream/forward.ts";
import { headerValue } from "../edge.ts";
import type { End } from "../upstream/record.ts";
import { candidatesCutOff, candidatesRefused } from "./candidates-refused.ts";
import { receiptSchema, type EvidenceSeen, type Receipt } from "./receipt.ts";
import { refusalRecord } from "./refusal-record.ts";
import type { Settled, SettlementFacts } from "./settlement.ts";
import { unknownUsage } from "../upstream/usage.ts";

/** What is known of an exchange once it is reserved. */
export interface ReceiptBasis {
  readonly requestId: string;
  readonly caller: Caller;
  readonly dialect: string;
  readonly request: ModelRequest;
  readonly permit: Permit;
  readonly hold: Hold;
  /** The end user's hash; `undefined` where the request names none. */
  readonly endUser: string | undefined;
  /** Limits in shadow mode that would have refused it; known once it is reserved. */
  readonly shadowedLimits?: readonly string[] | undefined;
  readonly digestKeyId: string;
  readonly requestDigest?: string | undefined;
  readonly gatewayPlace: string;
  readonly traceId: string | undefined;
  readonly startedAtMs: number;
}

/** How an exchange ended, towards the client. */
export interface Outcome {
  readonly end: End;
  /** What the client is told instead of a proper end. */
  readonly refusal: Refusal | undefined;
  /** Of the body that the client is sent; absent where nothing of an upstream's answer is in it. */
  readonly answerDigest?: string | undefined;
  readonly firstByteAtMs: number | undefined;
}

/** The receipt that stands if this process dies: written with the reservation, before the first byte goes upstream. */
export function intentReceipt(basis: ReceiptBasis): Receipt {
  const { request, permit, hold } = basis;
  return {
    schema: receiptSchema,
    requestId: basis.requestId,
    tenantId: basis.caller.tenant.id,
    legalEntity: basis.caller.tenant.name,
    keyId: basis.caller.keyId,
    endUser: basis.endUser,
    dialect: basis.dialect,
    surface: request.surface,
    modelAsked: request.model,
    model: permit.model.id,
    digestKeyId: basis.digestKeyId,
    requestDigest: basis.requestDigest,
    deployment: undefined,
    region: undefined,
    sku: undefined,
    countries: undefined,
    evidence: { region: undefined, inferenceGeo: undefined, servedModel: undefined, upstreamRequestId: undefined },
    evidenceGrade: undefined,
    policyVersion: permit.policyVersion,
    policyDigest: permit.policyDigest,
    catalogueDigest: permit.catalogueDigest,
    inputs: permit.inputs,
    candidatesRefused: candidatesRefused(permit.refused),
    candidatesCutOff: candidatesCutOff(permit.cutOff),
    rules: permit.rules,
    ...(permit.degradations.length === 0 ? {} : { degradations: permit.degradations }),
    gatewayPlace: basis.gatewayPlace,
    attempts: [],
    stream: request.stream,
    status: undefined,
    end: "unsettled",
    usage: unknownUsage,
    usageSource: "held",
    heldTokens: hold.amounts.tokens,
    heldMicroUsd: hold.amounts.microUsd,
    chargedTokens: hold.amounts.tokens,
    chargedInputTokens: hold.amounts.inputTokens,
    costMicroUsd: hold.amounts.microUsd,
    responseId: undefined,
    traceId: basis.traceId,
    startedAtMs: basis.startedAtMs,
    firstByteAtMs: undefined,
    endedAtMs: basis.startedAtMs,
  };
}

/** The receipt of an exchange that ended while its gateway lived. */
export function outcomeReceipt(
  basis: ReceiptBasis,
  forwarded: Forwarded | undefined,
  outcome: Outcome,
  settled: Settled,
  status: number | undefined,
  endedAtMs: number,
): Receipt {
  const deployment = servedBy(forwarded);
  const answering = forwarded?.kind === "answering" ? forwarded.answer : undefined;
  const reading = answering?.reading;
  const headers = answering?.headers ?? (forwarded?.kind === "faulted" ? forwarded.headers : []);
  const conflict = answering === undefined ? forwarded?.attempts.at(-1)?.mismatch : answering.place.mismatch;
  return {
    ...intentReceipt(basis),
    ...(basis.shadowedLimits === undefined ? {} : { shadowedLimits: basis.shadowedLimits }),
    deployment: deployment?.id,
    region: deployment?.region.id,
    endpointHost: deployment === undefined ? undefined : endpointHost(deployment.region),
    sku: deployment?.sku,
    countries: deployment === undefined ? undefined : showCountries(deployment.countries),
    evidence: {
      region: headerValue(headers, "x-ms-region"),
      inferenceGeo: reading?.inferenceGeo,
      servedModel: headerValue(headers, "x-ms-served-model") ?? reading?.servedModel,
      deploymentName: headerValue(headers, "x-ms-deployment-name"),
      spilloverFrom: headerValue(headers, "x-ms-spillover-from-deployment"),
      upstreamRequestId: forwarded?.upstreamRequestId,
      ...connectedTo(forwarded),
    },
    // What contradicts its declaration shows nothing.
    evidenceGrade: conflict === undefined ? deployment?.evidence : "none",
    ...(conflict === undefined ? {} : { evidenceConflict: conflict }),
    attempts: forwarded?.attempts ?? [],
    status,
    end: outcome.end,
    ...(outcome.refusal === undefined ? {} : { refusal: refusalRecord(outcome.refusal) }),
    answerDigest: outcome.answerDigest,
    ...(isWithdrawal(outcome.refusal) ? { revokedBy: outcome.refusal.order } : {}),
    usage: settled.usage,
    usageSource: settled.usageSource,
    chargedTokens: settled.charge.tokens,
    chargedInputTokens: settled.charge.inputTokens,
    costMicroUsd: settled.charge.microUsd,
    ...priceCharged(basis, deployment, settled),
    // Other surfaces store nothing that a later request could refer to.
    responseId: basis.request.surface === "responses" ? reading?.responseId : undefined,
    firstByteAtMs: outcome.firstByteAtMs,
    endedAtMs,
  };
}

function connectedTo(forwarded: Forwarded | undefined): Partial<EvidenceSeen> {
  const last = forwarded?.attempts.at(-1);
  return {
    ...(last?.connectedAddress === undefined ? {} : { connectedAddress: last.connectedAddress }),
    ...(last?.addressCheck === undefined ? {} : { addressCheck: last.addressCheck }),
    ...(last?.addressCountry === undefined ? {} : { addressCountry: last.addressCountry }),
  };
}

/** By which price it was charged, so that the sum can be done again after the price has changed. */
function priceCharged(
  basis: ReceiptBasis,
  deployment: Deployment | undefined,
  settled: Settled,
): Pick<Receipt, "priceEffectiveFrom" | "priceTier"> {
  if (deployment === undefined || settled.usageSource === "none") return {};
  const { effectiveFromMs } = priceAt(deployment, basis.startedAtMs);
  return {
    ...(effectiveFromMs === undefined ? {} : { priceEffectiveFrom: new Date(effectiveFromMs).toISOString() }),
    ...(settled.priceTier === undefined ? {} : { priceTier: settled.priceTier }),
  };
}

/** What settling needs to know of how it went. */
export function settlementFacts(basis: ReceiptBasis, forwarded: Forwarded | undefined, brokeUnsent: boolean): SettlementFacts {
  const reading = forwarded?.kind === "answering" ? forwarded.answer.reading : undefined;
  const deployment = servedBy(forwarded);
  return {
    hold: basis.hold,
    reached: forwarded?.reached ?? false,
    failedUpstream: brokeUnsent || forwarded?.kind === "refused",
    stored: basis.request.stored === true,
    status: statusOf(forwarded),
    usage: reading?.usage ?? unknownUsage,
    usageComplete: reading?.usageComplete ?? false,
    outputEventsSeen: reading?.contentEvents ?? 0,
    price: deployment === undefined ? undefined : priceAt(deployment, basis.startedAtMs).price,
  };
}

function statusOf(forwarded: Forwarded | undefined): number | undefined {
  if (forwarded?.kind === "answering") return forwarded.answer.status;
  return forwarded?.kind === "faulted" || forwarded?.kind === "refused" ? forwarded.status : undefined;
}
