import type { ModelRequest } from "../dialect/model-request.ts";
import type { DecisionInputs } from "../policy/decision-inputs.ts";
import type { Permit, RefusedCandidate } from "../policy/permit.ts";
import type { World } from "../policy/world.ts";
import type { Refusal } from "../refusal.ts";
import type { Surface } from "../region/catalogue.ts";
import type { Caller } from "../tenant/authenticate.ts";
import { candidatesCutOff, candidatesRefused } from "./candidates-refused.ts";
import { receiptSchema, type RefusalReceipt } from "./receipt.ts";
import { refusalRecord } from "./refusal-record.ts";

/** What is known of a request up to the step that refuses it: each step adds what it learned. */
export interface RefusalBasis {
  readonly requestId: string;
  readonly caller: Caller;
  readonly dialect: string;
  readonly surface: Surface;
  readonly gatewayPlace: string;
  readonly traceId: string | undefined;
  readonly startedAtMs: number;
  requestDigest?: string | undefined;
  digestKeyId?: string | undefined;
  request?: ModelRequest;
  endUser?: string | undefined;
  /** Once the policy was asked, it and its catalogue. */
  world?: World;
  /** What the policy decided by, and each deployment that it refused; its permit where it gave one: then something else refused. */
  inputs?: DecisionInputs | undefined;
  refused?: readonly RefusedCandidate[] | undefined;
  permit?: Permit;
}

/** `now` is named where no policy was asked. Else it is the one that was: another may have come into force since. */
export function refusalReceipt(
  basis: RefusalBasis,
  refusal: Refusal,
  now: World,
  status: number,
  endedAtMs: number,
): RefusalReceipt {
  const { caller, request, permit, world = now } = basis;
  return {
    schema: receiptSchema,
    requestId: basis.requestId,
    tenantId: caller.tenant.id,
    legalEntity: caller.tenant.name,
    keyId: caller.keyId,
    endUser: basis.endUser,
    dialect: basis.dialect,
    surface: basis.surface,
    modelAsked: request?.model,
    digestKeyId: basis.digestKeyId,
    requestDigest: basis.requestDigest,
    inputs: basis.inputs,
    policyVersion: world.policy.version,
    policyDigest: world.policy.digest,
    catalogueDigest: world.catalogue.digest,
    candidatesRefused: basis.refused && candidatesRefused(basis.refused),
    candidatesCutOff: permit && candidatesCutOff(permit.cutOff),
    refusal: refusalRecord(refusal),
    gatewayPlace: basis.gatewayPlace,
    stream: request?.stream,
    status,
    end: "refused",
    traceId: basis.traceId,
    startedAtMs: basis.startedAtMs,
    endedAtMs,
  };
}
