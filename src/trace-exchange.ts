/** What the spans of an exchange say: one function a span, so that the exchange itself reads as its steps. */
import { SpanKind, type Attributes } from "@opentelemetry/api";
import type { ModelRequest } from "./dialect/model-request.ts";
import type { Receipt } from "./ledger/receipt.ts";
import { decide } from "./policy/decide.ts";
import type { DecisionInputs } from "./policy/decision-inputs.ts";
import type { Permit } from "./policy/permit.ts";
import type { World } from "./policy/world.ts";
import type { Surface } from "./region/catalogue.ts";
import { showCountries } from "./region/country.ts";
import { namesOf, type Reserved } from "./reserve.ts";
import type { Caller } from "./tenant/authenticate.ts";
import { attribute, operationName, providerName } from "./trace-names.ts";
import type { ExchangeTrace, Step } from "./trace.ts";
import type { AttemptWatcher } from "./upstream/forward.ts";

/** A list in a span is for reading, not for replaying: the receipt has it all. */
const listedCandidates = 32;

export function callerAttributes(caller: Caller): Attributes {
  return { [attribute.tenant]: caller.tenant.id, [attribute.key]: caller.keyId };
}

export function requestAttributes(surface: Surface, request: ModelRequest): Attributes {
  return {
    [attribute.operation]: operationName[surface],
    [attribute.requestModel]: request.model,
    [attribute.stream]: request.stream,
    ...(request.maxOutputTokens === undefined ? {} : { [attribute.maxTokens]: request.maxOutputTokens }),
  };
}

/** Permits are remembered from one request to the next, and so is what is said of them. */
const permitTexts = new WeakMap<Permit, Attributes>();

export function permitAttributes(permit: Permit): Attributes {
  let attributes = permitTexts.get(permit);
  if (attributes === undefined) permitTexts.set(permit, (attributes = describePermit(permit)));
  return attributes;
}

function describePermit(permit: Permit): Attributes {
  return {
    [attribute.policyVersion]: permit.policyVersion,
    [attribute.rules]: [...permit.rules],
    [attribute.admitted]: permit.deployments.slice(0, listedCandidates).map((deployment) => deployment.id),
    [attribute.refusedCandidates]: permit.refused
      .slice(0, listedCandidates)
      .map(({ deployment, rule, reason }) => `${deployment}: ${rule}: ${reason}`),
  };
}

export function limitAttributes({ near, shadowed }: Pick<Reserved, "near" | "shadowed">): Attributes {
  return {
    ...(near.length === 0 ? {} : { [attribute.limitsNear]: namesOf(near) }),
    ...(shadowed.length === 0 ? {} : { [attribute.limitsShadowed]: namesOf(shadowed) }),
  };
}

/** Why nothing was permitted: decided once more for the span alone, for a refusal keeps no candidates. */
export function deniedAttributes(inputs: DecisionInputs | undefined, { policy, catalogue }: World): Attributes {
  if (inputs === undefined) return { [attribute.policyVersion]: policy.version };
  const { evaluations } = decide(inputs, policy, catalogue);
  const last = evaluations.at(-1);
  if (last === undefined) return { [attribute.policyVersion]: policy.version };
  const refused = last.placement
    .candidates()
    .flatMap(({ deployment, objections }) => objections.map(({ rule, reason }) => `${deployment.id}: ${rule}: ${reason}`));
  return {
    [attribute.policyVersion]: policy.version,
    [attribute.rules]: [...last.rules],
    [attribute.admitted]: [],
    [attribute.refusedCandidates]: refused.slice(0, listedCandidates),
  };
}

export function receiptAttributes(receipt: Receipt): Attributes {
  const attributes: Record<string, string | number> = {
    [attribute.end]: receipt.end,
    [attribute.usageSource]: receipt.usageSource,
    [attribute.chargedTokens]: receipt.chargedTokens,
    [attribute.costMicroUsd]: receipt.costMicroUsd,
  };
  const optional: readonly (readonly [string, string | number | undefined])[] = [
    [attribute.endUser, receipt.endUser],
    [attribute.deployment, receipt.deployment],
    [attribute.region, receipt.region],
    [attribute.countries, receipt.countries],
    [attribute.responseModel, receipt.evidence.servedModel],
    [attribute.upstreamRequestId, receipt.evidence.upstreamRequestId],
    [attribute.responseId, receipt.responseId],
    [attribute.inputTokens, receipt.usage.inputTokens],
    [attribute.outputTokens, receipt.usage.outputTokens],
  ];
  for (const [name, value] of optional) if (value !== undefined) attributes[name] = value;
  return attributes;
}

/** A client span for each attempt; `undefined` where nobody looks, so that nothing is even made up. */
export function attemptSpans(trace: ExchangeTrace, surface: Surface, model: string): AttemptWatcher | undefined {
  if (!trace.recording) return undefined;
  let step: Step | undefined;
  return {
    began(deployment, number) {
      step = trace.step(`${operationName[surface]} ${model}`, SpanKind.CLIENT);
      step.set({
        [attribute.attempt]: number,
        [attribute.operation]: operationName[surface],
        [attribute.provider]: providerName[deployment.region.wire],
        [attribute.requestModel]: deployment.upstreamName,
        [attribute.serverAddress]: new URL(deployment.region.endpoint).hostname,
        [attribute.deployment]: deployment.id,
        [attribute.countries]: showCountries(deployment.countries),
      });
    },
    ended(_deployment, record) {
      if (record.status !== undefined) step?.set({ [attribute.httpStatus]: record.status });
      step?.set({ [attribute.outcome]: record.outcome });
      if (record.outcome === "answered" || record.outcome === "request_at_fault") step?.end();
      else step?.fail(record.outcome);
    },
  };
}
