/**
 * Receipts as FOCUS 1.2, the FinOps Open Cost and Usage Specification: each charge is one receipt. There are all columns
 * that the specification makes mandatory or recommends, of the conditional ones those whose condition holds here, and our
 * own, whose names begin with `x_` as the specification wants it.
 *
 * Left out, because nothing here has what they describe: commitment discounts, capacity reservations, a second pricing
 * currency, negotiated prices, sub-accounts, resources. A receipt is priced by several unit prices at once (input, cached,
 * output), so the columns of one unit price and its SKU are left out as well.
 */
import { harmless, microUsdDecimal } from "./csv.ts";
import { positionOf, showCursor } from "./journal-reader.ts";
import type { Receipt } from "./receipt.ts";

export interface FocusColumn {
  readonly name: string;
  readonly type: "String" | "Decimal" | "Date/Time";
  /** `undefined` only in the specification's nullable columns: null. */
  readonly of: (charge: FocusCharge) => string | undefined;
}

export interface FocusCharge {
  readonly receipt: Receipt;
  /** The tenant's name; `undefined` where it is not known any more. */
  readonly tenantName: string | undefined;
  /** What the provider calls the region. */
  readonly regionName: string | undefined;
  /** Who made the model. */
  readonly maker: string | undefined;
  /** Who bills the tenant. */
  readonly issuer: string;
  /** Whether the receipt stands before all that are still to come, so that an export can be resumed after it. */
  readonly resumable: boolean;
}

const secondMs = 1_000;

export const focusColumns: readonly FocusColumn[] = [
  cost("BilledCost"),
  text("BillingAccountId", ({ receipt }) => receipt.tenantId),
  text("BillingAccountName", ({ tenantName }) => tenantName),
  text("BillingCurrency", () => "USD"),
  time("BillingPeriodEnd", ({ receipt }) => monthOf(receipt.startedAtMs, 1)),
  time("BillingPeriodStart", ({ receipt }) => monthOf(receipt.startedAtMs, 0)),
  text("ChargeCategory", () => "Usage"),
  text("ChargeClass", () => undefined),
  text(
    "ChargeDescription",
    ({ receipt }) => `${receipt.model}, ${receipt.surface}${receipt.region === undefined ? "" : `, in ${receipt.region}`}`,
  ),
  text("ChargeFrequency", () => "Usage-Based"),
  time("ChargePeriodEnd", ({ receipt }) => chargeEndMs(receipt)),
  time("ChargePeriodStart", ({ receipt }) => Math.floor(receipt.startedAtMs / secondMs) * secondMs),
  decimal("ConsumedQuantity", ({ receipt }) => consumed(receipt)),
  text("ConsumedUnit", ({ receipt }) => (consumed(receipt) === undefined ? undefined : "Tokens")),
  cost("ContractedCost"),
  cost("EffectiveCost"),
  text("InvoiceId", () => undefined),
  text("InvoiceIssuerName", ({ issuer }) => issuer),
  cost("ListCost"),
  decimal("PricingQuantity", ({ receipt }) => receipt.chargedTokens),
  text("PricingUnit", () => "Tokens"),
  text("ProviderName", ({ issuer }) => issuer),
  text("PublisherName", ({ maker, issuer }) => maker ?? issuer),
  text("RegionId", ({ receipt }) => receipt.region),
  text("RegionName", ({ receipt, regionName }) => (receipt.region === undefined ? undefined : (regionName ?? receipt.region))),
  text("AvailabilityZone", () => undefined),
  text("ServiceCategory", () => "AI and Machine Learning"),
  text("ServiceName", ({ receipt }) => receipt.model),
  text("ServiceSubcategory", () => "Generative AI"),

  text("x_request_id", ({ receipt }) => receipt.requestId),
  text("x_key_id", ({ receipt }) => receipt.keyId),
  text("x_end_user", ({ receipt }) => receipt.endUser),
  text("x_dialect", ({ receipt }) => receipt.dialect),
  text("x_surface", ({ receipt }) => receipt.surface),
  text("x_model_asked", ({ receipt }) => receipt.modelAsked),
  text("x_deployment", ({ receipt }) => receipt.deployment),
  text("x_sku", ({ receipt }) => receipt.sku),
  text("x_countries", ({ receipt }) => receipt.countries),
  text("x_evidence_grade", ({ receipt }) => receipt.evidenceGrade),
  text("x_evidence_region", ({ receipt }) => receipt.evidence.region),
  text("x_inference_geo", ({ receipt }) => receipt.evidence.inferenceGeo),
  text("x_served_model", ({ receipt }) => receipt.evidence.servedModel),
  text("x_upstream_request_id", ({ receipt }) => receipt.evidence.upstreamRequestId),
  text("x_gateway_place", ({ receipt }) => receipt.gatewayPlace),
  text("x_policy_version", ({ receipt }) => receipt.policyVersion),
  text("x_trace_id", ({ receipt }) => receipt.traceId),
  text("x_stream", ({ receipt }) => String(receipt.stream)),
  decimal("x_status", ({ receipt }) => receipt.status),
  text("x_end", ({ receipt }) => receipt.end),
  text("x_usage_source", ({ receipt }) => receipt.usageSource),
  decimal("x_tokens_input", ({ receipt }) => receipt.usage.inputTokens),
  decimal("x_tokens_cached_input", ({ receipt }) => receipt.usage.cachedInputTokens),
  decimal("x_tokens_cache_write", ({ receipt }) => receipt.usage.cacheWriteTokens),
  decimal("x_tokens_output", ({ receipt }) => receipt.usage.outputTokens),
  decimal("x_tokens_reasoning", ({ receipt }) => receipt.usage.reasoningTokens),
  decimal("x_tokens_held", ({ receipt }) => receipt.heldTokens),
  decimal("x_tokens_charged", ({ receipt }) => receipt.chargedTokens),
  { name: "x_cost_held", type: "Decimal", of: ({ receipt }) => microUsdDecimal(receipt.heldMicroUsd) },
  { name: "x_started_at", type: "Date/Time", of: ({ receipt }) => new Date(receipt.startedAtMs).toISOString() },
  { name: "x_ended_at", type: "Date/Time", of: ({ receipt }) => new Date(receipt.endedAtMs).toISOString() },
  text("x_cursor", ({ receipt, resumable }) => (resumable ? showCursor(positionOf(receipt)) : undefined)),
];

function text(name: string, of: (charge: FocusCharge) => string | undefined): FocusColumn {
  const safe = (charge: FocusCharge): string | undefined => {
    const value = of(charge);
    return value === undefined ? undefined : harmless(value);
  };
  return { name, type: "String", of: safe };
}

function decimal(name: string, of: (charge: FocusCharge) => number | undefined): FocusColumn {
  return { name, type: "Decimal", of: (charge) => of(charge)?.toString() };
}

/** No discount is known here, so what is billed, effective, contracted and listed is one amount. */
function cost(name: string): FocusColumn {
  return { name, type: "Decimal", of: ({ receipt }) => microUsdDecimal(receipt.costMicroUsd) };
}

/** Whole seconds in UTC, as the specification writes times. */
function time(name: string, of: (charge: FocusCharge) => number): FocusColumn {
  return { name, type: "Date/Time", of: (charge) => new Date(of(charge)).toISOString().replace(".000Z", "Z") };
}

/** The first moment of the month in UTC, `later` months on. */
function monthOf(timeMs: number, later: number): number {
  const date = new Date(timeMs);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later);
}

/** The end is not part of the period, which therefore has one second at the least. */
function chargeEndMs({ startedAtMs, endedAtMs }: Receipt): number {
  return (Math.floor(Math.max(startedAtMs, endedAtMs) / secondMs) + 1) * secondMs;
}

/** What the upstream reported; where it did not tell all, that is not known. */
function consumed({ usage }: Receipt): number | undefined {
  if (usage.inputTokens === undefined || usage.outputTokens === undefined) return undefined;
  return usage.inputTokens + usage.outputTokens;
}
