import type { DecisionInputs } from "../policy/decision-inputs.ts";
import type { Degradation } from "../policy/permit.ts";
import type { RefusalKind } from "../refusal.ts";
import type { EvidenceGrade, Surface } from "../region/catalogue.ts";
import type { AddressCheck } from "../upstream/check-address.ts";
import type { CandidatesCutOff, CandidatesRefused } from "./candidates-refused.ts";
import type { Attempt, End } from "../upstream/record.ts";
import type { MeteredUsage } from "../upstream/usage.ts";

/** What the upstream said of itself. */
export interface EvidenceSeen {
  /** `x-ms-region`. */
  readonly region: string | undefined;
  /** `usage.inference_geo`. */
  readonly inferenceGeo: string | undefined;
  /** `x-ms-served-model`, else the model that the answer names. */
  readonly servedModel: string | undefined;
  /** `x-ms-deployment-name` and `x-ms-spillover-from-deployment`: what really answered, and what was too full to. */
  readonly deploymentName?: string | undefined;
  readonly spilloverFrom?: string | undefined;
  /** `x-request-id`, `apim-request-id` or `request-id` of the upstream. */
  readonly upstreamRequestId: string | undefined;
  /** What the last attempt was connected to, and by what it was checked: `not-visible` where the runtime shows no address. */
  readonly connectedAddress?: string | undefined;
  readonly addressCheck?: AddressCheck | undefined;
  /** As the table of addresses has it, where it was asked. */
  readonly addressCountry?: string | undefined;
}

/** Names the form of a receipt. One without it is from before there was a log. */
export const receiptSchema = "strait.receipt.v2";

/** The record of one exchange. No prompt and no answer is in it. */
export interface Receipt {
  readonly schema?: typeof receiptSchema;
  readonly requestId: string;
  readonly tenantId: string;
  /** The tenant's name, as it was then. */
  readonly legalEntity?: string | undefined;
  readonly keyId: string;
  /** The end user that the request named, hashed with the tenant's own secret. */
  readonly endUser?: string | undefined;
  readonly dialect: string;
  readonly surface: Surface;
  readonly modelAsked: string;
  readonly model: string;
  /** The deployment that answered last; `undefined` where none was reached. */
  readonly deployment: string | undefined;
  readonly region: string | undefined;
  /** The host that the request went to. */
  readonly endpointHost?: string | undefined;
  readonly sku: string | undefined;
  /** Where that deployment may process, as `showCountries` shows it. */
  readonly countries: string | undefined;
  readonly evidence: EvidenceSeen;
  readonly evidenceGrade: EvidenceGrade | undefined;
  /** How what the upstream said of its place contradicts the catalogue; the grade is then `none`. */
  readonly evidenceConflict?: string;
  readonly policyVersion: string;
  /** Of the bundle that the policy stood in; absent in receipts written before there were any. */
  readonly policyDigest?: string | undefined;
  readonly catalogueDigest: string;
  /** All that the policy decided by beside itself and the catalogue: the tenant's facts with what shows them, and what was asked. */
  readonly inputs?: DecisionInputs | undefined;
  /** Deployments that the policy refused, by reason. */
  readonly candidatesRefused?: readonly CandidatesRefused[] | undefined;
  /** Deployments that the policy admits and an order took away before anything was sent, by order. */
  readonly candidatesCutOff?: readonly CandidatesCutOff[] | undefined;
  /** The rules that allowed it. */
  readonly rules: readonly string[];
  /** Those of them that lessened what was asked, and to what. */
  readonly degradations?: readonly Degradation[] | undefined;
  /** Where the gateway itself ran. */
  readonly gatewayPlace: string;
  readonly attempts: readonly Attempt[];
  readonly stream: boolean;
  /** The status that the client saw; `undefined` where it left before one was sent. */
  readonly status: number | undefined;
  readonly end: End;
  /** Of one that ended `revoked`: the order's id, or `key` or `tenant` where that itself was. */
  readonly revokedBy?: string | undefined;
  /** What the client was told instead of a proper end. */
  readonly refusal?: RefusalRecord | undefined;
  /** The tenant's digest key of the two that follow; absent in receipts of before keys had ids. */
  readonly digestKeyId?: string | undefined;
  /** `hmac-sha256:` and lower-case hex: of the request's body, byte by byte as the client sent it … */
  readonly requestDigest?: string | undefined;
  /**
   * … and of the answer's, as it was sent to the client: keep-alives and the event that tells of a broken stream included.
   * Absent where nothing of an upstream's answer was sent. Of a client that left, of what was handed to its connection.
   */
  readonly answerDigest?: string | undefined;
  /** Leaf hash, lower-case hex, of the unsettled receipt of the same request that this one replaces. */
  readonly corrects?: string | undefined;
  readonly usage: MeteredUsage;
  /** `reported`: the upstream's own count. `estimated`: counted from what was seen. `held`: nothing is known, so the hold stands. */
  readonly usageSource: "reported" | "estimated" | "held" | "none";
  readonly heldTokens: number;
  readonly heldMicroUsd: number;
  readonly chargedTokens: number;
  /** Of them, the input; absent in receipts of before it was written down. */
  readonly chargedInputTokens?: number;
  readonly costMicroUsd: number;
  /** From when on the price held that it was charged at, RFC 3339; absent for a deployment's first price, or where none was charged. */
  readonly priceEffectiveFrom?: string | undefined;
  /** Which of that price's rates: `priority`, `long_context`; absent for the plain ones. */
  readonly priceTier?: string | undefined;
  /** Limits in shadow mode that would have refused it, by name. */
  readonly shadowedLimits?: readonly string[] | undefined;
  /** The id under which the upstream keeps this response, for what refers to it later. */
  readonly responseId: string | undefined;
  readonly traceId: string | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly firstByteAtMs: number | undefined;
  readonly endedAtMs: number;
}

/**
 * The record of a request that was refused before anything was held for it. It has no part in any sum: nothing was served
 * and nothing is charged. What is `undefined` was not known when the request was refused.
 */
export interface RefusalReceipt {
  readonly schema: typeof receiptSchema;
  readonly requestId: string;
  readonly tenantId: string;
  readonly legalEntity: string;
  readonly keyId: string;
  readonly endUser: string | undefined;
  readonly dialect: string;
  readonly surface: Surface;
  readonly modelAsked: string | undefined;
  readonly digestKeyId?: string | undefined;
  readonly requestDigest: string | undefined;
  readonly inputs: DecisionInputs | undefined;
  readonly policyVersion: string;
  readonly policyDigest: string;
  readonly catalogueDigest: string;
  readonly candidatesRefused: readonly CandidatesRefused[] | undefined;
  readonly candidatesCutOff?: readonly CandidatesCutOff[] | undefined;
  readonly refusal: RefusalRecord;
  readonly gatewayPlace: string;
  readonly stream: boolean | undefined;
  readonly status: number;
  readonly end: "refused";
  readonly traceId: string | undefined;
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** Why a request was refused, by the reason's code and what explains it; no text of the request. */
export interface RefusalRecord {
  readonly kind: RefusalKind;
  readonly reasons?: readonly string[] | undefined;
}
