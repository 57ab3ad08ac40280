/** What a request asks for, and where it may run. */
import { allow, refuse, type Decision } from "./decision.ts";
import type { ModelRequest } from "./dialect/model-request.ts";
import { readBody } from "./dialect/read-body.ts";
import { storedRequest } from "./dialect/stored-request.ts";
import type { Inbound } from "./edge.ts";
import type { ExchangePorts, ModelCall } from "./exchange-ports.ts";
import { authorise, narrow } from "./policy/authorise.ts";
import { plainRequest, type BoundTo, type DecisionInputs, type RequestInputs } from "./policy/decision-inputs.ts";
import { nationalityClaim, nationalityHeader } from "./policy/nationality.ts";
import type { Permit, RefusedCandidate } from "./policy/permit.ts";
import type { World } from "./policy/world.ts";
import type { Refusal } from "./refusal.ts";
import type { Surface } from "./region/catalogue.ts";
import type { RevocationGate } from "./revocation/gate.ts";
import type { Policy } from "./region/policy.ts";
import { checkScope, type Caller } from "./tenant/authenticate.ts";
import type { Credentials } from "./upstream/address.ts";
import { withdrawnInReach } from "./upstream/reach.ts";
import type { PermitOfModel } from "./upstream/served-place.ts";

/** What is asked for: the body's few fields, and the deployment it is bound to where it refers to something stored there. */
export interface Subject {
  readonly request: ModelRequest;
  readonly boundTo: BoundTo | undefined;
  /** What the client claims of its end user, as it wrote it. */
  readonly nationality: string | undefined;
}

export async function readSubject(
  call: ModelCall,
  inbound: Inbound,
  ports: ExchangePorts,
  caller: Caller,
  seen: (body: Uint8Array) => void,
): Promise<Decision<Subject>> {
  const bodiless = call.stored === undefined ? undefined : storedRequest(call.surface, call.stored.query);
  const request =
    bodiless === undefined
      ? await readBody(call.surface, inbound, call.modelFromPath, ports.settings.bodyLimitBytes, seen)
      : allow(bodiless);
  if (!request.ok) return request;
  const responseId = call.stored?.id ?? request.value.previousResponseId;
  const nationality = inbound.header(nationalityHeader);
  if (responseId === undefined) return allow({ request: request.value, boundTo: undefined, nationality });
  // An id made elsewhere means nothing there, and must not pull the request out of its permit: it goes to its issuer.
  const issued = await ports.journal.findResponse(caller.tenant.id, responseId);
  if (issued?.deployment === undefined) return refuse({ kind: "response_not_found", id: responseId });
  const model = bodiless === undefined ? request.value.model : issued.model;
  return allow({ request: { ...request.value, model }, boundTo: { deployment: issued.deployment, responseId }, nationality });
}

/** A permit; or a refusal, which tells by what the policy decided and what it refused, unless the key's scope ends before that. */
export type Permitted =
  | { readonly ok: true; readonly value: Permit }
  | {
      readonly ok: false;
      readonly refusal: Refusal;
      readonly inputs?: DecisionInputs;
      readonly refused?: readonly RefusedCandidate[];
    };

type DecisionPorts = Pick<ExchangePorts, "shadow"> & {
  readonly revocations: Pick<RevocationGate, "standing">;
  /** Without it all regions count as in reach. */
  readonly credentials?: Credentials;
};

export function permitFor(
  caller: Caller,
  { request, boundTo, nationality }: Subject,
  surface: Surface,
  { policy, catalogue }: World,
  { revocations, shadow, credentials }: DecisionPorts,
  atMs: number,
): Permitted {
  const model = catalogue.modelNames.get(request.model);
  // A name that no model has is in no scope and in none's way: the policy says that there is no such model.
  const scope = model === undefined ? allow(undefined) : checkScope(caller, model, surface);
  if (!scope.ok) return scope;
  const asked = {
    tenant: caller.tenant,
    modelName: request.model,
    surface,
    request: requestInputs(request, nationality, policy),
  };
  const permit = authorise(asked, policy, catalogue, atMs);
  // Names that clients make up are without end.
  if (model !== undefined) shadow?.see(caller.tenant.id, permit, atMs);
  if (!permit.ok) return permit;
  // A lesser model answers only keys that reach it.
  const lesser = permit.value.model.id === model ? scope : checkScope(caller, permit.value.model.id, surface);
  if (!lesser.ok) return { ...lesser, inputs: permit.value.inputs, refused: permit.value.refused };
  const bound = boundTo === undefined ? permit : narrow(permit.value, boundTo);
  if (!bound.ok) return bound;
  const { tenant, keyId } = caller;
  const { model: served, inputs, refused } = bound.value;
  const standingOf = (each: Permit): Decision<Permit> => revocations.standing(each, { tenant, keyId, model: served });
  const standing = standingOf(bound.value);
  if (!standing.ok) return { ...standing, inputs, refused };
  const isLess = standing.value.cutOff.length > 0 && credentials !== undefined;
  const withdrawn = isLess ? withdrawnInReach(bound.value, standingOf, credentials) : undefined;
  return withdrawn === undefined ? standing : { ok: false, refusal: withdrawn, inputs, refused };
}

/** Where the same request may be served another model, for upstreams that choose the model themselves. */
export function permitOfModel(
  caller: Caller,
  subject: Subject,
  surface: Surface,
  world: World,
  revocations: Pick<RevocationGate, "standing">,
  atMs: number,
): PermitOfModel {
  return (model) => {
    const asked = { ...subject, request: { ...subject.request, model }, boundTo: undefined };
    const permit = permitFor(caller, asked, surface, world, { revocations }, atMs);
    return permit.ok ? permit.value : undefined;
  };
}

function requestInputs(request: ModelRequest, claimed: string | undefined, policy: Policy): RequestInputs {
  const { hostedTools, logProbabilities, extractsWeights } = request;
  const endUserNationality = nationalityClaim(claimed, policy);
  // The usual request is one object, by which its decision is found again.
  if (hostedTools.length === 0 && !logProbabilities && endUserNationality === null) return plainRequest;
  const probabilities = extractsWeights ? "asked_with_logit_bias" : logProbabilities ? "asked" : "none";
  return { hostedTools, logProbabilities: probabilities, endUserNationality };
}
