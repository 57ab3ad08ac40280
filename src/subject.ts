/** What a request asks for, and where it may run. */
import { allow, refuse, type Decision } from "./decision.ts";
import type { ModelRequest } from "./dialect/model-request.ts";
import { readBody } from "./dialect/read-body.ts";
import { storedRequest } from "./dialect/stored-request.ts";
import type { Inbound } from "./edge.ts";
import type { ExchangePorts, ModelCall } from "./exchange-ports.ts";
import { authorise, narrow } from "./policy/authorise.ts";
import type { Permit } from "./policy/permit.ts";
import type { Surface } from "./region/catalogue.ts";
import { checkScope, type Caller } from "./tenant/authenticate.ts";

/** What is asked for: the body's few fields, and the deployment it is bound to where it refers to something stored there. */
export interface Subject {
  readonly request: ModelRequest;
  readonly boundTo: { readonly deployment: string; readonly responseId: string } | undefined;
}

export async function readSubject(
  call: ModelCall,
  inbound: Inbound,
  ports: ExchangePorts,
  caller: Caller,
): Promise<Decision<Subject>> {
  const bodiless = call.stored === undefined ? undefined : storedRequest(call.surface, call.stored.query);
  const request =
    bodiless === undefined
      ? await readBody(call.surface, inbound, call.modelFromPath, ports.settings.bodyLimitBytes)
      : allow(bodiless);
  if (!request.ok) return request;
  if (request.value.extractsWeights)
    return refuse({
      kind: "unsupported_field",
      param: "logit_bias",
      detail: "together with logprobs it extracts a model's weights. Send one of them.",
    });
  const responseId = call.stored?.id ?? request.value.previousResponseId;
  if (responseId === undefined) return allow({ request: request.value, boundTo: undefined });
  // An id made elsewhere means nothing there, and must not pull the request out of its permit: it goes to its issuer.
  const issued = await ports.journal.findResponse(caller.tenant.id, responseId);
  if (issued?.deployment === undefined) return refuse({ kind: "response_not_found", id: responseId });
  const model = bodiless === undefined ? request.value.model : issued.model;
  return allow({ request: { ...request.value, model }, boundTo: { deployment: issued.deployment, responseId } });
}

export function permitFor(
  caller: Caller,
  request: ModelRequest,
  surface: Surface,
  boundTo: Subject["boundTo"],
  ports: ExchangePorts,
  atMs: number,
): Decision<Permit> {
  const world = ports.world(atMs);
  const model = world.catalogue.modelNames.get(request.model);
  if (model === undefined) return refuse({ kind: "model_not_found", model: request.model });
  const scope = checkScope(caller, model, surface);
  if (!scope.ok) return scope;
  const permit = authorise({ tenant: caller.tenant, modelName: request.model, surface }, world.policy, world.catalogue, atMs);
  if (!permit.ok) return permit;
  const bound = boundTo === undefined ? permit : narrow(permit.value, boundTo.deployment, boundTo.responseId);
  if (!bound.ok) return bound;
  const { tenant, keyId } = caller;
  return ports.revocations.standing(bound.value, { tenant, keyId, model: bound.value.model });
}
